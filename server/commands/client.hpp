// The state of one connection that its commands see and change.
#pragma once

#include <memory>
#include <string_view>

#include "server/commands/command.hpp"
#include "server/commands/environment.hpp"

namespace switchback {

// Belongs to one io thread. `environment` outlives it.
struct Client {
  Client(CommandEnvironment& environment, std::shared_ptr<ClientInfo> client_info);

  // As after connecting (RESET): default collection, RESP2, no watches, no name; authenticated only
  // if there is no password.
  void Reset();

  // Takes what SELECT takes.
  Status Select(std::string_view number_or_name);
  // Returns false for a wrong password. With no password every one is right, as in Redis.
  bool Authenticate(std::string_view user, std::string_view password);
  void Watch(Arguments keys);
  void Unwatch();

  CommandEnvironment& environment;
  const std::shared_ptr<ClientInfo> info;
  const Collection* collection = nullptr;
  RespVersion version = RespVersion::k2;
  bool is_authenticated = false;
  bool is_closing = false;  // close once the replies are written
  std::unique_ptr<WatchSet> watches;
  std::size_t watched_key_count = 0;
};

}  // namespace switchback
