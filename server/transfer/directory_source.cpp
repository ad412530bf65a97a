#include "server/cli/offline.hpp"
#include "server/transfer/export_source.hpp"

namespace switchback {
namespace {

// Replaying what a crash has left in the log.
constexpr std::chrono::minutes kPinWaitMax{10};

class DirectorySource final : public ExportSource {
 public:
  DirectorySource(std::unique_ptr<DbService> service, PinnedStores stores, std::optional<Role> role)
      : service_(std::move(service)), stores_(std::move(stores)), role_(role) {}

  Result<std::vector<ExportCollection>> Collections() override {
    auto names = role_ ? stores_.view(*role_)->CollectionNames() : service_->CollectionNames();
    if (!names) return Fail(names.error());
    std::vector<ExportCollection> all;
    for (std::string& name : *names) {
      const auto count = CountOf(name);
      if (!count) return Fail(count.error());
      all.push_back({std::move(name), *count});
    }
    return all;
  }

  Status ForEach(const std::string& name, const std::string& prefix,
                 const Visitor& visit) override {
    const Collection* collection = service_->catalog().Find(name);
    if (collection == nullptr) return {};
    ReadView* view = ViewOf(*collection);
    if (view == nullptr)
      return Fail(ErrorCode::kUnavailable, "no store in sync holds the collection " + name);
    Status visited;
    const auto take = [&](std::string_view key, std::string_view value) {
      if (!key.starts_with(prefix)) return false;
      visited = visit(key, value);
      return visited.has_value();
    };
    SB_RETURN_IF_ERROR(view->Scan(*collection, prefix, take));
    return visited;
  }

  [[nodiscard]] std::string Describe() const override {
    return (role_ ? std::string("the store ") + RoleName(*role_)
                  : std::string("the data directory")) +
           " as of batch " + std::to_string(stores_.sequence);
  }

 private:
  [[nodiscard]] ReadView* ViewOf(const Collection& collection) const {
    for (const Role role : kRoles) {
      if (role_ && role != *role_) continue;
      if (stores_.view(role) != nullptr && collection.IsHeldBy(Index(role)))
        return stores_.view(role);
    }
    return nullptr;
  }

  // SQLite would have to read the table.
  Result<std::optional<std::uint64_t>> CountOf(const std::string& name) {
    const Collection* collection = service_->catalog().Find(name);
    ReadView* legacy = stores_.view(Role::kLegacy);
    if (collection == nullptr || legacy == nullptr || ViewOf(*collection) != legacy)
      return std::optional<std::uint64_t>();
    const auto count = legacy->Count(*collection);
    if (!count) return Fail(count.error());
    return std::optional(*count);
  }

  const std::unique_ptr<DbService> service_;
  const PinnedStores stores_;  // ends first
  const std::optional<Role> role_;
};

}  // namespace

Result<std::unique_ptr<ExportSource>> OpenDirectorySource(const std::string& data_dir,
                                                          std::optional<Role> role) {
  auto service = OpenOffline(data_dir);
  if (!service) return Fail(service.error());
  auto stores = (*service)->PinStores(kPinWaitMax);
  if (!stores) return Fail(stores.error());
  if (role && stores->view(*role) == nullptr)
    return Fail(ErrorCode::kRefused, std::string(RoleName(*role)) +
                                         " cannot be read: " + stores->absences[Index(*role)] +
                                         ". Leave out --role to take what can be");
  return std::unique_ptr<ExportSource>(
      std::make_unique<DirectorySource>(*std::move(service), *std::move(stores), role));
}

}  // namespace switchback
