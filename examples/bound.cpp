// BIND in C++: waits for ADDRESS to connect to what is printed.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>

#include <socks4/dial.h>

class Refused : public std::runtime_error
{
  public:
    explicit Refused(int code)
        : std::runtime_error(socks4_code_text(code)), code(code)
    {
    }
    int code;
};

// A BIND, then its connection. Owns the descriptor.
class Rendezvous
{
  public:
    Rendezvous(const sockaddr_in &gateway, in_addr peer, uint16_t port)
        : gateway_(gateway)
    {
        socks4_request request = {};

        request.command = SOCKS4_BIND;
        request.dstip = ntohl(peer.s_addr);
        request.dstport = port;
        dial_.gateway = reinterpret_cast<const sockaddr *>(&gateway_);
        dial_.gateway_len = sizeof gateway_;
        dial_.cancel = -1;
        dial_.deadline_ms = socks4_dial_deadline(10000);
        check(socks4_dial_open(&dial_, &request, 1, &dialled_));
    }
    Rendezvous(const Rendezvous &) = delete;
    Rendezvous &operator=(const Rendezvous &) = delete;
    ~Rendezvous()
    {
        if (dialled_.fd >= 0)
            close(dialled_.fd);
    }

    // The address to tell the peer.
    std::string
    address() const
    {
        in_addr ip = {htonl(dialled_.client.bound_ip)};
        char text[INET_ADDRSTRLEN];

        inet_ntop(AF_INET, &ip, text, sizeof text);
        return std::string(text) + ":" +
               std::to_string(dialled_.client.bound_port);
    }

    int
    accept()
    {
        check(socks4_dial_accept(&dial_, &dialled_));
        return dialled_.fd;
    }

  private:
    void
    check(int result) const
    {
        if (result > 0)
            throw Refused(result);
        if (result == -EPROTO)
            throw std::runtime_error(socks4_error_text(dialled_.client.error));
        if (result < 0)
            throw std::runtime_error(std::strerror(-result));
    }

    sockaddr_in gateway_;
    socks4_dial dial_ = {};
    socks4_dialled dialled_ = {};
};

static void
exchange(int fd, const std::string &word)
{
    char octets[4096];
    ssize_t got;

    for (std::size_t at = 0; at < word.size();) {
        ssize_t sent =
            send(fd, word.data() + at, word.size() - at, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            throw std::runtime_error(std::strerror(errno));
        at += sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    shutdown(fd, SHUT_WR);
    while ((got = recv(fd, octets, sizeof octets, 0)) > 0)
        std::cout.write(octets, got);
}

int
main(int argc, char **argv)
{
    sockaddr_in gateway = {};
    in_addr peer = {};

    if (argc != 6)
        return 2;
    gateway.sin_family = AF_INET;
    gateway.sin_port = htons(static_cast<uint16_t>(std::stoi(argv[2])));
    inet_pton(AF_INET, argv[1], &gateway.sin_addr);
    inet_pton(AF_INET, argv[3], &peer);
    try {
        Rendezvous rendezvous(gateway, peer,
                              static_cast<uint16_t>(std::stoi(argv[4])));

        std::cout << rendezvous.address() << std::endl;
        exchange(rendezvous.accept(), argv[5]);
    } catch (const std::exception &fault) {
        std::cerr << "bound: " << fault.what() << "\n";
        return 1;
    }
    return 0;
}
