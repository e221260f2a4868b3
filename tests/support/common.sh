# Shared by ./start and ./check: packages, and the build as the caller.
# The caller of this file has set `here` to the root of the tree.

# Debian's tools before others, and the administrator's for everybody.
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH

# packages_missing LIST...: the packages of these lists that are not
# installed, one a line, as PACKAGE or PACKAGE:SERVICE.
packages_missing()
{
    local have
    have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n')
    sed 's/#.*//' "$@" | awk -v have="$have" '
        BEGIN {
            count = split(have, line, "\n")
            for (i = 1; i <= count; i++)
                if (split(line[i], word, " ") == 2 && word[2] == "installed")
                    there[word[1]] = 1
        }
        NF && !($1 in there) { print $1 (NF > 1 ? ":" $2 : "") }'
}

# packages_install LOG ENTRY...: as root, through sudo, or not at all.
packages_install()
{
    local log=$1
    shift
    local installer=("$here/tests/support/install-packages" "$@")

    if [ "$(id -u)" = 0 ]; then
        :
    elif command -v sudo >/dev/null; then
        installer=(sudo "${installer[@]}")
    else
        packages_advise "$@"
        return 1
    fi
    echo "Installing: ${*%%:*}"
    # sudo asks for a password at the terminal, whatever goes to the log.
    if ! "${installer[@]}" >"$log" 2>&1; then
        tail -n 20 "$log"
        packages_advise "$@"
        return 1
    fi
}

packages_advise()
{
    echo "These Debian packages are missing; as root, run:"
    echo "apt-get update && apt-get install -y --no-install-recommends ${*%%:*}"
}

# packages_ensure LOG LIST...: nothing missing, neither apt nor sudo is called.
packages_ensure()
{
    local log=$1 missing
    shift
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" = 0 ] || packages_install "$log" "${missing[@]}"
}

# packages_unpack FOLDER LOG LIST: each package of the list in a folder of its
# own there, fetched once.
packages_unpack()
{
    local folder=$1 log=$2 package
    for package in $(sed 's/#.*//' "$3"); do
        [ ! -e "$folder/$package" ] || continue
        echo "Fetching: $package"
        if ! package_unpack "$folder" "$package" >"$log" 2>&1; then
            tail -n 20 "$log"
            echo "The Debian package $package cannot be fetched; as root, run:"
            echo "apt-get update"
            return 1
        fi
    done
}

package_unpack()
{
    local new=$1/$2.new
    rm -rf -- "$new" && mkdir -p -- "$new" &&
        (cd "$new" && apt-get download "$2" && dpkg-deb -x "$2"_*.deb .) &&
        mv -- "$new" "$1/$2"
}

# Under sudo, what is built belongs to who called it, if the tree is theirs.
caller_is_behind_sudo()
{
    [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] &&
        [ "$(stat -c %u -- "$here")" = "$SUDO_UID" ]
}

as_caller()
{
    if caller_is_behind_sudo; then
        setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --init-groups -- "$@"
    else
        "$@"
    fi
}

give_to_caller()
{
    local path
    caller_is_behind_sudo || return 0
    for path in "$@"; do
        [ ! -e "$path" ] || chown -R -h "$SUDO_UID:$SUDO_GID" -- "$path"
    done
}

# build_tree FOLDER LOG SETUP-ARGUMENT...: configured where it is not (or was
# with other arguments: none means as it is), and built.
build_tree()
{
    local folder=$1 log=$2 setup=()
    shift 2
    give_to_caller "$folder"
    if [ ! -e "$folder/build.ninja" ]; then
        setup=(meson setup)
    elif [ $# -gt 0 ] && [ "$*" != "$(cat "$folder/setup" 2>/dev/null)" ]; then
        setup=(meson setup --reconfigure)
    fi
    : >"$log"
    if [ "${#setup[@]}" -gt 0 ]; then
        # meson remembers what was not there, and it may have been installed
        # since: then from the beginning.
        as_caller "${setup[@]}" "$folder" "$here" "$@" >"$log" 2>&1 ||
            { [ -e "$folder/build.ninja" ] &&
                as_caller meson setup --wipe "$folder" "$here" "$@" \
                    >"$log" 2>&1; } || return 1
        as_caller tee "$folder/setup" <<<"$*" >/dev/null
    fi
    as_caller ninja -C "$folder" >>"$log" 2>&1
}
