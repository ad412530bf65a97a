#include "server/commands/client.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

// Takes as long for every wrong password of one length, so that time does not tell how much of it
// was right.
bool EqualsInConstantTime(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

}  // namespace

Client::Client(CommandEnvironment& command_environment, std::shared_ptr<ClientInfo> client_info)
    : environment(command_environment), info(std::move(client_info)) {
  Reset();
}

void Client::Reset() {
  const Status selected = Select("0");
  SB_CHECK(selected, "collection 0 was checked when the server started");
  version = RespVersion::k2;
  info->SetResp(2);
  info->SetName("");
  is_authenticated = environment.password.empty();
  Unwatch();
}

Status Client::Select(std::string_view number_or_name) {
  Result<const Collection*> resolved = environment.collections.Resolve(number_or_name);
  if (!resolved) return Fail(std::move(resolved).error());
  if (collection == *resolved) return {};
  collection = *resolved;
  const auto number = environment.collections.NumberOf(*collection);
  info->SetCollection(collection->name, number ? static_cast<int>(*number) : -1);
  return {};
}

bool Client::Authenticate(std::string_view user, std::string_view password) {
  if (user != "default") return false;
  if (!environment.password.empty() && !EqualsInConstantTime(password, environment.password)) {
    return false;
  }
  is_authenticated = true;
  return true;
}

void Client::Watch(Arguments keys) {
  if (watches == nullptr) watches = environment.service.NewWatchSet();
  for (const std::string_view key : keys) {
    // No write can ever touch an impossible key.
    if (key.empty() || key.size() > kKeyBytesMax) continue;
    watches->Add(*collection, key);
    ++watched_key_count;
  }
  info->SetWatchedCount(static_cast<int>(watched_key_count));
}

void Client::Unwatch() {
  if (watched_key_count == 0) return;
  watches.reset();
  watched_key_count = 0;
  info->SetWatchedCount(0);
}

}  // namespace switchback
