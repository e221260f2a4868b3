# A minimal Debian 12 as a folder that programs run in. The caller has set
# `here` to the root of the tree, and has a function `fail`. Needs root.

cache=$here/.cache/fresh
base=$cache/bookworm.tar

small_debian_mirror()
{
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Codename: bookworm' | head -n 1
}

# Once: it is kept.
make_small_debian()
{
    local root=$cache/making
    [ ! -s "$base" ] || return 0
    command -v debootstrap >/dev/null ||
        fail "debootstrap is missing: apt-get install debootstrap"
    echo "making a minimal Debian 12 in $cache"
    mkdir -p "$cache" && rm -rf "$root"
    debootstrap --variant=minbase --include=git bookworm "$root" \
        "$(small_debian_mirror)" >"$cache/debootstrap.log" 2>&1 ||
        fail "see $cache/debootstrap.log"
    rm -rf "$root/var/cache/apt/archives/"*.deb
    tar -C "$root" -cf "$base.new" . && mv "$base.new" "$base"
    rm -rf "$root"
}

# Into an empty folder, with the machine's way to packages: sources, keys,
# proxies, names.
small_debian_unpack()
{
    local root=$1
    tar -C "$root" -xf "$base"
    rm -rf "$root/etc/apt"
    cp -a /etc/apt "$root/etc/apt"
    cp -an /usr/share/keyrings/. "$root/usr/share/keyrings/"
    rm -f "$root/etc/apt/apt.conf.d/"*packagekit* \
        "$root/etc/apt/apt.conf.d/"*appstream*
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "$root/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null
}

# small_debian_run ROOT COMMAND...: with mounts and processes of its own.
small_debian_run()
{
    local root=$1
    shift
    unshare --mount --pid --fork --kill-child \
        "$here/tests/support/fresh-enter" "$root" "$@" </dev/null
}
