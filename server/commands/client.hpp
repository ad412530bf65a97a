// The state of one connection that its commands see and change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/commands/command.hpp"
#include "server/commands/environment.hpp"

namespace switchback {

// Belongs to one io thread. `environment` outlives it.
struct Client {
  Client(CommandEnvironment& environment, std::shared_ptr<ClientInfo> client_info);

  // As after connecting (RESET): default collection, RESP2, no watches, no name; authenticated only
  // if no login is asked for.
  void Reset();

  // Takes what SELECT takes.
  Status Select(std::string_view number_or_name);
  // As the default user with its password, or by a named token. With neither configured the default
  // user needs no password, as in Redis. Errors: kRefused (wrong), kBusy (too many wrong ones came
  // from this address).
  Status Authenticate(std::string_view user, std::string_view password);
  // For a client with a name: whether its token, and with it its role, is in force still. Cheap.
  [[nodiscard]] bool IsInForce();
  void Watch(Arguments keys);
  void Unwatch();

  CommandEnvironment& environment;
  const std::shared_ptr<ClientInfo> info;
  const Collection* collection = nullptr;
  RespVersion version = RespVersion::k2;
  bool is_authenticated = false;
  std::optional<Principal> principal;  // of a named token; nullopt: the default user, who may all
  std::uint64_t token_generation = 0;  // of the tokens when that was looked at
  bool is_closing = false;             // close once the replies are written
  std::unique_ptr<WatchSet> watches;
  std::size_t watched_key_count = 0;
};

}  // namespace switchback
