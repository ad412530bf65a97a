// The one table that says how an Error looks outside: as a RESP error reply, as an HTTP status, as
// an exit code of the program. docs/protocol.md shows the same table to users.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// Exit codes of the program (DESIGN.md section 6).
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 3;

// Redis's text for a value past the limit; clients know it.
inline constexpr std::string_view kStringTooLongMessage =
    "string exceeds maximum allowed size (proto-max-bulk-len)";

// First word of a RESP error reply, as clients' error handling reads it: "ERR", "BUSY", "IOERR" ...
std::string_view RespErrorPrefix(ErrorCode code);

// The whole reply without the leading '-' and the final CRLF: "BUSY writes are held up: ...". Line
// breaks inside the message become spaces: a reply is one line.
std::string RespErrorText(const Error& error);

// 400, 404, 409, 429, 500, 501, 503, 507 ...
int HttpStatus(ErrorCode code);

// kExitFailed, kExitUsage for a wrong argument, kExitRefused when a safety check said no.
int ExitCode(ErrorCode code);
int ExitCode(const Status& status);  // kExitDone when it is a success

}  // namespace switchback
