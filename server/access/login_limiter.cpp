#include "server/access/login_limiter.hpp"

#include <arpa/inet.h>

#include <array>

namespace switchback {

bool LoginLimiter::IsLocal(std::string_view address) {
  const std::string text(address);
  in_addr ipv4{};
  if (inet_pton(AF_INET, text.c_str(), &ipv4) == 1) return (ntohl(ipv4.s_addr) >> 24) == 127;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, text.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return true;  // no address at all: a Unix socket
}

std::string LoginLimiter::Normalized(std::string_view address) {
  const std::string text(address);
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, text.c_str(), &ipv6) != 1 || IN6_IS_ADDR_V4MAPPED(&ipv6)) return text;
  for (std::size_t i = 8; i < 16; ++i) ipv6.s6_addr[i] = 0;
  std::array<char, INET6_ADDRSTRLEN> network{};
  inet_ntop(AF_INET6, &ipv6, network.data(), network.size());
  return network.data();
}

std::optional<std::chrono::seconds> LoginLimiter::WaitOf(std::string_view address) {
  const SteadyTime now = clock_.Now();
  const MutexLock lock(mutex_);
  const auto found = by_address_.find(Normalized(address));
  if (found == by_address_.end() || found->second->failures < kFailedLoginsMax) return std::nullopt;
  const auto left = found->second->begun_at + kFailedLoginWindow - now;
  if (left <= left.zero()) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(left) + std::chrono::seconds(1);
}

void LoginLimiter::CountFailure(std::string_view address) {
  const SteadyTime now = clock_.Now();
  std::string name = Normalized(address);
  const MutexLock lock(mutex_);
  const auto found = by_address_.find(name);
  if (found != by_address_.end()) {
    if (now - found->second->begun_at < kFailedLoginWindow) {
      ++found->second->failures;
      return;
    }
    entries_.erase(found->second);
    by_address_.erase(found);
  }
  entries_.push_back({name, now, 1});
  by_address_[std::move(name)] = std::prev(entries_.end());
  if (entries_.size() > kFailedLoginAddressesMax) {
    by_address_.erase(entries_.front().address);
    entries_.pop_front();
  }
}

}  // namespace switchback
