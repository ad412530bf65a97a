// Sockets in the file system, for clients on the same machine.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// "0600" or "0660" as a mode. Error: kInvalidArgument for any other: who may connect is the owner,
// or owner and group.
Result<mode_t> ParseSocketMode(std::string_view text);

// Binds and listens at `path`, with that mode from the first moment. What a server that died has
// left there is removed; nothing else is. The descriptor, which does not block, is the caller's.
// Errors: kConflict (somebody listens there), kRefused
// (there is a file that is no socket), kInvalidArgument (a path that is too long), kIo.
Result<int> ListenOnUnixSocket(const std::string& path, mode_t mode);

// Removes the socket at the end. Harmless when it is gone.
void RemoveUnixSocket(const std::string& path);

}  // namespace switchback
