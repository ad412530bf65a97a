#include "server/commands/client.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

// "10.0.0.7" of "10.0.0.7:1234", "::1" of "[::1]:1234"; what is no address stays as it is.
std::string_view HostOf(std::string_view address) {
  if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
  return address.substr(0, address.rfind(':'));
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
  is_authenticated = !environment.needs_login();
  principal.reset();
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

Status Client::Authenticate(std::string_view user, std::string_view password) {
  LoginLimiter* const logins = environment.logins;
  const std::string_view host = HostOf(info->address());
  const auto wait = logins == nullptr ? std::nullopt : logins->WaitOf(host);
  const auto fail_limited = [&] {
    return Fail(ErrorCode::kBusy, "too many failed logins from this address: wait " +
                                      std::to_string(wait->count()) + " seconds");
  };
  if (wait && !LoginLimiter::IsLocal(host)) return fail_limited();
  bool is_right = false;
  std::optional<Principal> found;
  if (user == "default") {
    is_right = !environment.needs_login() ||
               (!environment.password.empty() && ConstantTimeEqual(password, environment.password));
  } else if (environment.tokens != nullptr) {
    token_generation = environment.tokens->generation();
    found = environment.tokens->Find(user, password);
    is_right = found.has_value();
  }
  if (!is_right) {
    if (logins != nullptr) logins->CountFailure(host);
    if (wait) return fail_limited();
    return Fail(ErrorCode::kRefused, "invalid username-password pair or user is disabled.");
  }
  is_authenticated = true;
  principal = std::move(found);
  return {};
}

bool Client::IsInForce() {
  const std::uint64_t generation = environment.tokens->generation();
  if (generation == token_generation) return true;
  token_generation = generation;
  if (environment.tokens->IsInForce(*principal)) return true;
  principal.reset();
  is_authenticated = false;
  return false;
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
