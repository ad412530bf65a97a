#include "migration/repair.hpp"

#include "common/check.hpp"

namespace switchback {
namespace {

// The records of one write.
class RepairWrite {
 public:
  RepairWrite(CollectionCatalog& catalog, Role from, std::span<const RecordName> records,
              RepairOptions options, RepairResult& result)
      : catalog_(catalog), from_(from), records_(records), options_(options), result_(result) {}

  // On the pipeline's thread.
  Status Run(Transaction& transaction) {
    while (done_ < records_.size() && done_ < options_.record_count_max &&
           (done_ == 0 || bytes_ < options_.bytes_max)) {
      SB_RETURN_IF_ERROR(RepairOne(transaction, records_[done_]));
      ++done_;
    }
    return {};
  }
  [[nodiscard]] std::size_t done() const { return done_; }

 private:
  Status RepairOne(Transaction& transaction, const RecordName& record) {
    const auto collection = catalog_.Intern(record.collection);
    if (!collection) return Fail(collection.error());
    const auto stored = transaction.GetStored(from_, **collection, record.key);
    if (!stored) return Fail(stored.error());
    if (!stored->is_settled) return {};
    Status written;
    if (stored->value) {
      // The transaction may read before it copies, and the view lives only until the next read.
      const std::string value(*stored->value);
      bytes_ += value.size();
      written = transaction.Put(**collection, record.key, value);
    } else {
      written = transaction.Delete(**collection, record.key);
    }
    if (!written) {
      result_.refused += 1;
      result_.refusal = written.error().message;
    }
    return {};
  }

  CollectionCatalog& catalog_;
  const Role from_;
  const std::span<const RecordName> records_;
  const RepairOptions options_;
  RepairResult& result_;
  std::size_t done_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<RepairResult> RepairRecords(DbService& service, Role from,
                                   std::span<const RecordName> records, RepairOptions options) {
  RepairResult result;
  while (!records.empty()) {
    RepairWrite write(service.catalog(), from, records, options, result);
    SB_RETURN_IF_ERROR(
        service.Write([&](Transaction& transaction) { return write.Run(transaction); }));
    SB_CHECK(write.done() > 0, "a repair moves on");
    records = records.subspan(write.done());
  }
  result.sequence = service.GetStatus().last_sequence;
  return result;
}

}  // namespace switchback
