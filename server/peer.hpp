// Who is at the other end of a socket.
#pragma once

#include <string>

namespace switchback {

// The IP address of the peer, without a port; "" for a Unix socket, or when it has gone.
std::string PeerHost(int socket);
// Of the peer or of this end, as Redis shows them: "10.0.0.7:1234", "[::1]:1234", "unix:0".
std::string PeerText(int socket);
std::string LocalText(int socket);

}  // namespace switchback
