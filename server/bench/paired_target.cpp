#include "server/bench/paired_target.hpp"

namespace switchback::bench {
namespace {

class PairedClient : public Client {
 public:
  PairedClient(std::unique_ptr<Client> first, std::unique_ptr<Client> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  Result<std::optional<std::string_view>> Read(std::string_view key) override {
    return first_->Read(key);
  }
  Result<std::size_t> Scan(std::string_view from, std::size_t count) override {
    return first_->Scan(from, count);
  }
  Status Write(std::span<const RecordView> records) override {
    SB_RETURN_IF_ERROR(first_->Write(records));
    return second_->Write(records);
  }
  Status ReadModifyWrite(const RecordView& record) override {
    SB_RETURN_IF_ERROR(first_->ReadModifyWrite(record));
    return second_->Write({&record, 1});  // what the first one came to
  }
  void EndTurn() noexcept override {
    first_->EndTurn();
    second_->EndTurn();
  }

 private:
  std::unique_ptr<Client> first_;
  std::unique_ptr<Client> second_;
};

}  // namespace

Result<std::unique_ptr<Client>> PairedTarget::NewClient() {
  auto first = first_.NewClient();
  if (!first) return Fail(first.error());
  auto second = second_.NewClient();
  if (!second) return Fail(second.error());
  return std::unique_ptr<Client>(
      std::make_unique<PairedClient>(std::move(*first), std::move(*second)));
}

Status PairedTarget::Settle() {
  SB_RETURN_IF_ERROR(first_.Settle());
  return second_.Settle();
}

}  // namespace switchback::bench
