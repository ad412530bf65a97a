// Who is written down as the actor of a change.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// The body with its member "actor" set to the token's name. What the client wrote there stays
// behind it as a note: "deploy-bot (alice)". A body that is no object is left to its handler.
// Error (kInvalidArgument): "actor" is not a text of at most 1,000 bytes.
Result<std::string> BodyWithActor(std::string_view body, std::string_view token_name);

}  // namespace switchback
