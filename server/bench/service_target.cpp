#include "server/bench/service_target.hpp"

#include <fmt/core.h>

namespace switchback::bench {
namespace {

class ServiceClient : public Client {
 public:
  ServiceClient(DbService& service, const Collection& collection)
      : service_(service), collection_(collection), session_(service.NewSession()) {}
  ~ServiceClient() override { session_->EndTurn(); }

  Result<std::optional<std::string_view>> Read(std::string_view key) override {
    return session_->Get(collection_, key);
  }

  Result<std::size_t> Scan(std::string_view from, std::size_t count) override {
    std::size_t visited = 0;
    std::size_t bytes = 0;
    const auto visit = [&](std::string_view key, std::string_view value) {
      bytes += key.size() + value.size();
      return ++visited < count;
    };
    SB_RETURN_IF_ERROR(session_->Scan(collection_, from, visit));
    return visited;
  }

  // A held snapshot and a write of the same client get on (I4): the memtable answers first.
  Status Write(std::span<const RecordView> records) override {
    if (records.size() == 1)
      return service_.Put(collection_, records.front().key, records.front().value);
    return service_.Write([&](Transaction& transaction) -> Status {
      for (const RecordView& record : records)
        SB_RETURN_IF_ERROR(transaction.Put(collection_, record.key, record.value));
      return {};
    });
  }

  Status ReadModifyWrite(const RecordView& record) override {
    return service_.Write([&](Transaction& transaction) -> Status {
      if (auto value = transaction.Get(collection_, record.key); !value) return Fail(value.error());
      return transaction.Put(collection_, record.key, record.value);
    });
  }

  void EndTurn() noexcept override { session_->EndTurn(); }

 private:
  DbService& service_;
  const Collection& collection_;
  std::unique_ptr<Session> session_;
};

std::string NameOf(double percentage) {
  if (percentage <= 0) return "legacy";
  if (percentage >= 100) return "unified";
  return fmt::format("{}%", percentage);
}

}  // namespace

ServiceTarget::ServiceTarget(ServiceHost& host, double percentage, RecordCounter& records)
    : name_(NameOf(percentage)), host_(host), percentage_(percentage), records_(records) {}

Status ServiceTarget::Prepare() {
  if (percentage_ <= 0) return host_.SetFlag(false, std::nullopt);
  if (percentage_ >= 100) return host_.SetFlag(true, std::nullopt);
  return host_.SetFlag(true, percentage_);
}

Result<std::unique_ptr<Client>> ServiceTarget::NewClient() {
  return std::unique_ptr<Client>(
      std::make_unique<ServiceClient>(host_.service(), host_.collection()));
}

}  // namespace switchback::bench
