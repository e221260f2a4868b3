/*
 * One binary hands over to the next, which the monitor executes in its own
 * place: USR2 and HUP come at any moment, a binary will not do, an exec fails,
 * a worker or a log writer dies at any step. A step here is a turn of the
 * monitor's loop, or what a child does by itself: the two meet in messages and
 * deaths alone, which wait in the kernel.
 *
 * Properties: no worker that serves is told to drain unless another one serves,
 * as far as the monitor can know. The configuration stays while a binary is
 * checked, so that what is executed has seen what it takes over, and a failure
 * leaves all as it was. No two workers share a slot, and no two writers write.
 * When nothing is left to be done no signal is forgotten, nothing is held, the
 * workers that are meant serve, no other is there, and one writer writes.
 *
 * -DSEEDED: when the new workers are ready at last, a reload begins although
 * the next binary is being checked.
 *
 * models gateway/monitor/upgrade.c: upgrade_has_room upgrade_fail
 *   upgrade_start upgrade_replace upgrade_on_probed upgrade_start_if_asked
 *   upgrade_release upgrade_request
 * gateway/monitor/monitor.c: monitor_finish_upgrade monitor_release_changes
 *   monitor_on_overdue monitor_announce monitor_check_start
 *   monitor_services_changed monitor_reload_over
 * gateway/monitor/monitor_start.c: monitor_adopt
 * gateway/monitor/reload.c: reload_finish reload_run reload_on_tick
 *   reload_progress reload_release reload_hold reload_request
 * gateway/monitor/slots_handover.c: slots_free slot_adopt slots_adopt
 *   slots_drain_predecessors
 * gateway/monitor/slots_change.c: slots_stop_slot slots_reconfigure
 *   slot_is_behind slots_behind slots_starting slots_replace_behind slots_stop_surplus
 *   slots_fill slots_resize
 * gateway/monitor/service.c: service_working_process service_hand_over
 *   service_on_end service_on_predecessor_end
 * gateway/monitor/sink_writer.c: sink_writer_on_start sink_writer_on_ready
 *   sink_writer_on_predecessor_end
 * as they were with: eaf57bd67bf8f4cc
 */
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef UPGRADES
#define UPGRADES 2 /* USR2 */
#endif
#ifndef RELOADS
#define RELOADS 1 /* HUP, with another file */
#endif
#ifndef DEATHS
#define DEATHS 1 /* of children that nobody has told to end */
#endif
#define MEANT(version) (1 + (version) % 2) /* workers */

/* A process. It serves: a worker accepts, a writer would write. */
#define NONE 0
#define BEGINS 1
#define SERVES 2
#define ENDS 3 /* a worker drains */
#define DEAD 4 /* and waits for waitpid */

/* enum service_state. */
#define EMPTY 0
#define STARTING 1
#define READY 2
#define DRAINING 3

typedef slot {
    byte process;
    /* In its channel: from it, to it. */
    bool says_ready, says_configured, told_config, told_drain;
    /* Handed over. */
    byte state;
    bool behind; /* it has not the config version in force */
    /* Of this binary alone. */
    bool wanted, retry, predecessor
};
slot slots[SLOTS];
byte meant, wanted;

byte writer, writer_predecessor; /* processes */
bool writer_says_ready, writer_has_out, writer_retry;
bool predecessor_has_out, predecessor_told_leave;
byte writer_state;

/* The check of a binary: a process that will do, or not, when it is dead. */
byte probe;
bool probe_good;
byte probed; /* the version that it has seen */

byte version, file; /* in force; as it stands in the file */
bool reload_held, reload_running, reload_again, reload_replaced;
bool upgrade_held, upgrade_again;
bool announced, handed, overdue;

/* Of the laws. */
bool drained; /* in this turn one that serves was told to */
bool unread;  /* HUP has come, and no reload has begun since */
byte usr2 = UPGRADES, hup = RELOADS, deaths = DEATHS;

/* --- what calls what, the last first ------------------------------------- */

#define CHANGED 1
#define CHECK_START 2
#define RELEASE_CHANGES 3
#define UPGRADE_RELEASE 4
#define UPGRADE_IF_ASKED 5
#define UPGRADE_FAIL 6
#define RELOAD_RELEASE 7
#define RELOAD_RUN 8
#define RELOAD_FINISH 9
#define RELOAD_AGAIN 10
#define RELOAD_PROGRESS 11

byte calls[8];
byte depth, i, count;

inline call(what) { calls[depth] = what; depth++ }

/* --- slots --------------------------------------------------------------- */

inline slot_spawn(s)
{
    assert(slots[s].process == NONE);
    slots[s].process = BEGINS;
    slots[s].state = STARTING;
    slots[s].behind = false;
    slots[s].retry = false;
    slots[s].predecessor = false
}

inline slot_drain(s)
{
    drained = drained || slots[s].state == READY;
    slots[s].state = DRAINING;
    slots[s].told_drain = true
}

/* slots_stop_slot */
inline slot_stop(s)
{
    wanted--;
    slots[s].wanted = false;
    slots[s].retry = false;
    if
    :: slots[s].state != EMPTY -> slot_drain(s)
    :: else
    fi
}

inline slots_fill()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: wanted < meant && slots[i].state == EMPTY && !slots[i].wanted ->
            wanted++;
            slots[i].wanted = true;
            slot_spawn(i)
        :: else
        fi
    }
    i = 0
}

inline slots_resize()
{
    meant = MEANT(version);
    for (i : 1 .. 2 * SLOTS) { /* slots_stop_surplus */
        if
        :: wanted > meant && slots[(2 * SLOTS - i) % SLOTS].wanted &&
               (i > SLOTS || slots[SLOTS - i].state != READY) ->
            slot_stop((2 * SLOTS - i) % SLOTS)
        :: else
        fi
    }
    slots_fill()
}

/* How many are free, in `count'. */
inline slots_free()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: slots[i].state == EMPTY && !slots[i].wanted -> count++
        :: else
        fi
    }
    i = 0
}

/* In `count'. */
inline slots_behind()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: (slots[i].wanted && slots[i].state != READY) ||
               (slots[i].state != EMPTY && slots[i].behind) -> count++
        :: else
        fi
    }
    i = 0
}

/* In `count'. */
inline slots_starting()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: slots[i].wanted && (slots[i].state != READY || slots[i].behind) ->
            count++
        :: else
        fi
    }
    i = 0
}

inline slots_reconfigure()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: slots[i].state != EMPTY ->
            slots[i].behind = true;
            slots[i].told_config = true;
            slots[i].says_configured = false /* of another number */
        :: else
        fi
    }
    i = 0
}

inline slots_drain_predecessors()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: slots[i].predecessor && slots[i].state != EMPTY -> slot_drain(i)
        :: else
        fi;
        slots[i].predecessor = false
    }
    i = 0
}

/* A process has died of which the monitor has not heard. */
inline slot_die(s)
{
    slots[s].process = DEAD;
    slots[s].says_ready = false; /* of the last messages none of these counts */
    slots[s].says_configured = false
}

inline slots_replace_behind()
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: slots[i].state != EMPTY && slots[i].behind &&
               slots[i].process != DEAD -> slot_die(i)
        :: else
        fi
    }
    i = 0
}

/* service_on_end */
inline slot_on_end(s)
{
    slots[s].process = NONE;
    slots[s].told_config = false;
    slots[s].told_drain = false;
    slots[s].state = EMPTY;
    slots[s].behind = false;
    slots[s].retry = slots[s].wanted;
    call(CHANGED)
}

/* --- the log writer ------------------------------------------------------ */

inline writer_take_out()
{
    assert(writer_predecessor != SERVES || !predecessor_has_out);
    writer_has_out = true
}

inline writer_spawn()
{
    assert(writer == NONE);
    writer = BEGINS;
    writer_state = STARTING;
    writer_retry = false;
    if
    :: writer_predecessor == NONE -> writer_take_out()
    :: else
    fi
}

inline writer_on_end()
{
    writer = NONE;
    writer_state = EMPTY;
    writer_has_out = false;
    writer_says_ready = false;
    writer_retry = true;
    call(CHANGED)
}

inline writer_on_predecessor_end()
{
    writer_predecessor = NONE;
    predecessor_has_out = false;
    predecessor_told_leave = false;
    if
    :: writer != NONE -> writer_take_out()
    :: else /* it is given it from the start */
    fi;
    call(CHANGED)
}

/* The one that works is handed over, and is the next one's predecessor. The
   channel of the other is closed: it ends, and must have nothing to write to. */
inline writer_hand_over()
{
    if
    :: writer_predecessor != NONE ->
        assert(writer == NONE || !writer_has_out)
    :: else ->
        writer_predecessor = (writer == BEGINS -> SERVES : writer);
        predecessor_has_out = writer_has_out
    fi;
    writer = NONE;
    writer_says_ready = false;
    writer_has_out = false;
    writer_spawn()
}

/* --- another binary ------------------------------------------------------ */

/* What is not in the hand-over file is as in a process that begins. */
inline execute()
{
    assert(probed == version && !reload_running);
    for (i : 0 .. SLOTS - 1) {
        slots[i].wanted = false;
        slots[i].retry = false;
        slots[i].predecessor = (slots[i].state != EMPTY)
    }
    i = 0;
    wanted = 0;
    writer_hand_over();
    slots_resize();
    reload_held = true;
    reload_again = true;
    upgrade_held = true; /* upgrade_again is handed over */
    announced = false;
    handed = true;
    overdue = true
}

inline upgrade_on_probed()
{
    probe = NONE;
    if
    :: probe_good -> execute()
    :: true -> call(UPGRADE_FAIL) /* or it cannot be executed */
    fi;
    probe_good = false
}

/* upgrade_start */
inline upgrade_start()
{
    upgrade_again = false;
    reload_held = true;
    slots_free();
    if
    :: count < MEANT(version) -> call(UPGRADE_FAIL)
    :: else ->
        probe = SERVES;
        probed = version
    fi;
    count = 0
}

/* --- another configuration ----------------------------------------------- */

/* The file has a mistake, or says the same, or something else. */
inline reload_run()
{
    reload_again = false;
    unread = false;
    if
    :: true -> call(RELOAD_FINISH)
    :: file != version ->
        assert(probe == NONE);
        version = file;
        slots_reconfigure();
        slots_resize();
        reload_running = true;
        reload_replaced = false
    fi
}

inline reload_on_tick()
{
    if
    :: !reload_replaced ->
        reload_replaced = true;
        slots_replace_behind()
    :: else -> call(RELOAD_FINISH)
    fi
}

/* --- the monitor --------------------------------------------------------- */

inline check_start()
{
    slots_starting();
    if
    :: !announced && count == 0 && writer_state == READY ->
        announced = true;
        if
        :: handed -> /* monitor_finish_upgrade */
            overdue = false;
            handed = false;
            slots_drain_predecessors()
        :: else
        fi;
        call(RELEASE_CHANGES)
    :: else
    fi;
    count = 0
}

inline release_changes()
{
    call(UPGRADE_RELEASE);
    if
#ifdef SEEDED
    :: true
#else
    :: probe == NONE
#endif
        -> call(RELOAD_RELEASE)
    :: else
    fi
}

inline step(what)
{
    if
    :: what == CHANGED ->
        slots_fill();
        call(RELOAD_PROGRESS);
        call(CHECK_START)
    :: what == CHECK_START -> check_start()
    :: what == RELEASE_CHANGES -> release_changes()
    :: what == UPGRADE_RELEASE ->
        upgrade_held = false;
        call(UPGRADE_IF_ASKED)
    :: what == UPGRADE_IF_ASKED ->
        if
        :: upgrade_again && !upgrade_held && !reload_running &&
               probe == NONE -> upgrade_start()
        :: else
        fi
    :: what == UPGRADE_FAIL ->
        assert(!reload_running);
        call(UPGRADE_IF_ASKED);
        call(RELOAD_RELEASE)
    :: what == RELOAD_RELEASE ->
        reload_held = false;
        if
        :: reload_again && !reload_running -> call(RELOAD_RUN)
        :: else
        fi
    :: what == RELOAD_RUN -> reload_run()
    :: what == RELOAD_FINISH ->
        reload_running = false;
        call(RELOAD_AGAIN);
        call(UPGRADE_IF_ASKED)
    :: what == RELOAD_AGAIN ->
        if
        :: reload_again && !reload_held -> call(RELOAD_RUN)
        :: else
        fi
    :: what == RELOAD_PROGRESS ->
        slots_behind();
        if
        :: reload_running && count == 0 -> call(RELOAD_FINISH)
        :: else
        fi;
        count = 0
    fi
}

/* As far as the monitor knows. */
#define KNOWN(s) (slots[s].state == READY && slots[s].wanted)
#if SLOTS == 3
#define ANY_SERVES (KNOWN(0) || KNOWN(1) || KNOWN(2))
#else
#define ANY_SERVES (KNOWN(0) || KNOWN(1) || KNOWN(2) || KNOWN(3))
#endif

/* To the end of this turn. */
inline run_calls()
{
    do
    :: depth > 0 ->
        depth--;
        what = calls[depth];
        calls[depth] = 0;
        step(what)
    :: else -> break
    od;
    what = 0;
    assert(!drained || ANY_SERVES);
    drained = false
}

/* What worker s and the monitor do about it. */
inline worker(s)
{
    if
    :: slots[s].process == BEGINS ->
        slots[s].process = SERVES;
        slots[s].says_ready = true
    :: slots[s].process == SERVES && slots[s].told_drain ->
        slots[s].told_drain = false;
        slots[s].process = ENDS
    :: slots[s].process == ENDS -> slot_die(s) /* the last session has ended */
    :: (slots[s].process == BEGINS || slots[s].process == SERVES) &&
           deaths > 0 ->
        deaths--;
        slot_die(s)
    :: (slots[s].process == SERVES || slots[s].process == ENDS) &&
           slots[s].told_config ->
        slots[s].told_config = false;
        slots[s].says_configured = true
    :: slots[s].says_ready ->
        slots[s].says_ready = false;
        if
        :: slots[s].state == STARTING -> slots[s].state = READY
        :: else
        fi;
        call(CHANGED)
    :: slots[s].says_configured ->
        slots[s].says_configured = false;
        slots[s].behind = false;
        call(CHANGED)
    :: slots[s].process == DEAD -> slot_on_end(s)
    :: slots[s].retry -> slot_spawn(s)
    fi
}

inline log_writer()
{
    if
    :: writer == BEGINS ->
        writer = SERVES;
        writer_says_ready = true
    :: (writer == BEGINS || writer == SERVES) && deaths > 0 ->
        deaths--;
        writer = DEAD;
        writer_says_ready = false
    :: writer_predecessor == SERVES && predecessor_told_leave ->
        writer_predecessor = DEAD
    :: writer_predecessor == SERVES && deaths > 0 ->
        deaths--;
        writer_predecessor = DEAD
    :: writer_says_ready ->
        writer_says_ready = false;
        writer_state = READY;
        predecessor_told_leave = (writer_predecessor != NONE);
        call(CHANGED)
    :: writer == DEAD -> writer_on_end()
    :: writer_predecessor == DEAD -> writer_on_predecessor_end()
    :: writer_retry -> writer_spawn()
    fi
}

inline changes()
{
    if
    :: probe == SERVES ->
        probe = DEAD;
        if
        :: probe_good = true
        :: probe_good = false
        fi
    :: probe == DEAD -> upgrade_on_probed()
    :: reload_running -> reload_on_tick()
    :: overdue -> overdue = false; call(RELEASE_CHANGES)
    :: usr2 > 0 -> usr2--; upgrade_again = true; call(UPGRADE_IF_ASKED)
    :: usr2 > 0 -> usr2-- /* it does not come */
    :: hup > 0 ->
        hup--;
        file++;
        unread = true;
        if
        :: !reload_held && !reload_running -> call(RELOAD_RUN)
        :: else -> reload_again = true
        fi
    :: hup > 0 -> hup--
    fi
}

inline rest()
{
    assert(!reload_held && !reload_running && !reload_again && !unread);
    assert(!upgrade_held && !upgrade_again && probe == NONE);
    assert(announced && !handed);
    for (i : 0 .. SLOTS - 1) {
        assert(slots[i].wanted == (slots[i].process == SERVES));
        assert(slots[i].wanted == (slots[i].state == READY));
        assert((slots[i].process == NONE) == (slots[i].state == EMPTY));
        assert(!slots[i].behind);
        count = count + slots[i].wanted
    }
    assert(count == MEANT(version));
    assert(writer == SERVES && writer_has_out && writer_predecessor == NONE)
}

active proctype gateway()
{
    byte what;
    d_step {
        meant = 1;
        reload_held = true;
        upgrade_held = true;
        slots_fill();
        writer_spawn()
    };
    do
    :: atomic {
        if
        :: worker(0)
        :: worker(1)
        :: worker(2)
#if SLOTS > 3
        :: worker(3)
#endif
        :: log_writer()
        :: changes()
        fi;
        run_calls()
    }
    :: timeout -> break
    od;
    atomic { rest() }
}
