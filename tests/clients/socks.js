// socks.js PROXY PORT HOST PORT USERID [VERSION]: Node's `socks`, with CONNECT; a name
// goes as it is.
const {SocksClient} = require('socks');

const [proxy, proxyPort, host, port, userId, version] = process.argv.slice(2);

SocksClient.createConnection({
    proxy: {host: proxy, port: Number(proxyPort), type: Number(version || 4), userId},
    command: 'connect',
    destination: {host, port: Number(port)},
}).then(({socket}) => {
    socket.pipe(process.stdout);
    process.stdin.pipe(socket);
}, (error) => {
    console.error(error.message);
    process.exit(1);
});
