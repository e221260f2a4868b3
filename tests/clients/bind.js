// bind.js PROXY PORT HOST PORT USERID: Node's `socks`, with BIND. Prints
// where it is listened; then as socks.js, with the peer that comes.
const {SocksClient} = require('socks');

const [proxy, proxyPort, host, port, userId] = process.argv.slice(2);

const client = new SocksClient({
    proxy: {host: proxy, port: Number(proxyPort), type: 4, userId},
    command: 'bind',
    destination: {host, port: Number(port)},
});

client.on('bound', ({remoteHost}) => {
    process.stdout.write(`${remoteHost.host} ${remoteHost.port}\n`);
});
client.on('established', ({socket, remoteHost}) => {
    process.stdout.write(`${remoteHost.host} ${remoteHost.port}\n`);
    socket.pipe(process.stdout);
    process.stdin.pipe(socket);
});
client.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
});
client.connect();
