# socks.pl PROXY PORT HOST PORT USERID VERSION: Perl's IO::Socket::Socks; a name
# goes as it is.
use strict;
use warnings;
use IO::Socket::Socks;

my ($proxy, $proxy_port, $host, $port, $user, $version) = @ARGV;
my $socket = IO::Socket::Socks->new(
    ProxyAddr => $proxy, ProxyPort => $proxy_port,
    ConnectAddr => $host, ConnectPort => $port,
    SocksVersion => $version, SocksResolve => $host =~ /[a-z]/ ? 1 : 0,
    Username => $user, Timeout => 20);
if (!$socket) {
    print STDERR "$SOCKS_ERROR\n";
    exit 1;
}
binmode $_ for \*STDIN, \*STDOUT;
local $/ = \65536;
$socket->syswrite($_) == length or die $! while <STDIN>;
$socket->shutdown(1);
print while $socket->sysread($_, 65536);
