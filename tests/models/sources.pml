/*
 * A place in the table of sources changes hands while workers enter, leave and
 * die at any step. Each step here is one access to shared memory there.
 *
 * Property: no place belongs to another source than that of the sessions that
 * are charged to it, and nothing stays charged.
 *
 * -DSEEDED: a worker that changes the owner puts the place to FREE, as any
 * other would, and not to a mark of its own. Two changes can then overlap.
 *
 * models gateway/worker/sources.c: sources_sum sources_rests sources_change
 *   sources_claim sources_find sources_enter sources_leave sources_give
 * as they were with: 502fc1a726f3209b
 */
#define WORKERS 3
#define SESSIONS 1 /* of each worker */
#define FREE 0
#define MARK 100 /* that of worker n is MARK + n; keys are less */

#ifdef SEEDED
#define OWN FREE
#else
#define OWN (MARK + me)
#endif

byte key = FREE;
byte charges[WORKERS + 1];
byte held[WORKERS]; /* the source whose session the worker has here; 0: none */
byte dead = WORKERS; /* the worker that has died */
byte ended;

/* A place whose owner is being changed, or was by a worker that died, is
   nobody's: it may have sessions of the former owner. */
#define STRANGER(n) (held[n] != 0 && key != held[n] && 0 < key && key < MARK)
#define MIXED(n, m) (held[n] != 0 && held[m] != 0 && held[n] != held[m])

inline law()
{
    assert(!STRANGER(0) && !STRANGER(1) && !STRANGER(2));
    assert(!MIXED(0, 1) && !MIXED(0, 2) && !MIXED(1, 2))
}

/* sources_sum: one column after the other. */
inline sources_sum()
{
    busy = (charges[0] != 0);
    busy = busy || charges[1] != 0;
    busy = busy || charges[2] != 0
}

inline compare_exchange(from, to)
{
    atomic {
        changed = (key == from);
        if
        :: changed -> key = to; law()
        :: else
        fi
    }
}

/* sources_claim: `mine` says whether the place is ours now. It is tried once
   here, and there again; that is like another entry. */
inline sources_claim()
{
    old = key;
    if
    :: old != wanted ->
        sources_sum(); /* sources_rests */
        if
        :: !busy -> sources_change()
        :: else
        fi
    :: else
    fi;
    mine = (key == wanted)
}

inline sources_change()
{
    changed = true;
    if
    :: old != OWN -> compare_exchange(old, OWN)
    :: else
    fi;
    if
    :: changed ->
        sources_sum();
        if
        :: !busy -> compare_exchange(OWN, wanted)
        :: busy && old != OWN -> compare_exchange(OWN, old)
        :: else
        fi
    :: else
    fi
}

/* sources_enter, a session, sources_leave. */
inline sources_enter()
{
    mine = (key == wanted); /* sources_find */
    if
    :: mine
    :: else -> sources_claim()
    fi;
    if
    :: mine ->
        charges[me]++;
        atomic {
            if
            :: key == wanted -> held[me] = wanted; law()
            :: else
            fi
        };
        atomic { held[me] = 0; charges[me]-- } /* sources_leave */
    :: else
    fi
}

/* Nothing stays charged. */
inline end()
{
    atomic {
        ended++;
        assert(ended < WORKERS ||
               charges[0] + charges[1] + charges[2] == 0)
    }
}

proctype worker(byte me)
{
    byte wanted, old, sessions;
    bool changed, mine, busy;

    {
        do
        :: sessions < SESSIONS ->
            atomic {
                sessions++;
                if
                :: wanted = 1
                :: wanted = 2
                fi
            };
            sources_enter();
            atomic { /* fewer states */
                wanted = 0;
                old = 0;
                changed = false;
                mine = false;
                busy = false
            }
        :: else -> break
        od;
        end()
    } unless {
        /* segment_retire: its charges go; a mark stays. */
        atomic { dead == me -> held[me] = 0; charges[me] = 0; end() }
    }
}

/* One worker at most dies, at any step. */
proctype fate()
{
    if
    :: true
    :: dead = 0
    :: dead = 1
    :: dead = 2
    fi
}

init
{
    atomic {
        run worker(0);
        run worker(1);
        run worker(2);
        run fate()
    }
}
