# The same Debian packages under the next version's number.

# next_version FROM TO WORK: folders.
next_version()
{
    local file tree=$3
    for file in "$1"/*_amd64.deb; do
        case $file in *dbgsym*) continue ;; esac
        rm -rf "$tree" && dpkg-deb -R "$file" "$tree" &&
            sed -i '/^Version:/s/$/+next/; s/(= [^)]*/&+next/' \
                "$tree/DEBIAN/control" &&
            dpkg-deb -b "$tree" "$2" || return 1
    done
    rm -rf "$tree"
}
