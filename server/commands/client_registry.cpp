#include "server/commands/client_registry.hpp"

#include <fmt/core.h>

#include "server/commands/command.hpp"

namespace switchback {
namespace {

long long Seconds(SteadyTime::duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

void ClientInfo::SetName(std::string name) {
  const MutexLock lock(mutex_);
  name_ = std::move(name);
}

std::string ClientInfo::Name() const {
  const MutexLock lock(mutex_);
  return name_;
}

void ClientInfo::SetLibrary(std::string name, std::string version) {
  const MutexLock lock(mutex_);
  library_name_ = std::move(name);
  library_version_ = std::move(version);
}

std::string ClientInfo::LibraryName() const {
  const MutexLock lock(mutex_);
  return library_name_;
}

std::string ClientInfo::LibraryVersion() const {
  const MutexLock lock(mutex_);
  return library_version_;
}

void ClientInfo::SetCollection(std::string name, int number) {
  const MutexLock lock(mutex_);
  collection_ = std::move(name);
  collection_number_ = number;
}

std::string ClientInfo::Describe(SteadyTime now) const {
  const Command* const command = last_command_.load(kRelaxed);
  const int queued_count = queued_count_.load(kRelaxed);
  const MutexLock lock(mutex_);
  // Clients split at spaces and '='; no field may hold either (names are checked when set). What we
  // have no figure for is 0, as the fields themselves are expected.
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 "
      "multi={} watch={} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 "
      "tot-mem=0 events=r cmd={} user=default redir=-1 lib-name={} lib-ver={} collection={} "
      "resp={}",
      id_, address_, local_address_, descriptor_, name_, Seconds(now - connected_at_),
      Seconds(now - last_active()), queued_count >= 0 ? "x" : "N", collection_number_, queued_count,
      watched_count_.load(kRelaxed), command == nullptr ? "NULL" : command->name, library_name_,
      library_version_, collection_, resp_.load(kRelaxed));
}

void ClientRegistry::Add(std::shared_ptr<ClientInfo> client) {
  const MutexLock lock(mutex_);
  const std::uint64_t id = client->id();
  clients_.emplace(id, std::move(client));
}

void ClientRegistry::Remove(std::uint64_t id) {
  const MutexLock lock(mutex_);
  clients_.erase(id);
}

std::vector<std::shared_ptr<ClientInfo>> ClientRegistry::All() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<ClientInfo>> all;
  all.reserve(clients_.size());
  for (const auto& [id, client] : clients_) all.push_back(client);
  return all;
}

std::size_t ClientRegistry::count() const {
  const MutexLock lock(mutex_);
  return clients_.size();
}

}  // namespace switchback
