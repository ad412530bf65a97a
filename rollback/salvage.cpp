#include "rollback/salvage.hpp"

#include <optional>

#include "backends/collection.hpp"
#include "backends/store_salvage.hpp"
#include "common/bytes.hpp"
#include "rollback/apart.hpp"

namespace switchback {
namespace {

class StoreSalvage {
 public:
  StoreSalvage(const std::string& store, std::string_view engine, const std::string& file,
               const SalvageSink& sink)
      : store_(store), engine_(engine), file_(file), sink_(sink) {}

  Status Run(SalvageReport& report) {
    std::vector<std::string> names;
    const auto work = [&](const ApartWriter& writer) {
      return SalvageNames(engine_, file_,
                          [&](std::string_view name) { return writer.Write(name); });
    };
    const Status listed = RunApart(work, [&](std::string_view name) -> Status {
      names.emplace_back(name);
      return {};
    });
    if (!listed)
      report.problems.push_back(
          store_ + ": not all of its collections could be found: " + listed.error().message);
    for (const std::string& name : names) {
      auto salvaged = Collect(name);
      if (!salvaged) return Fail(salvaged.error());
      if (salvaged->record_count > 0 || !salvaged->problem.empty())
        report.collections.push_back(*std::move(salvaged));
    }
    return {};
  }

 private:
  Result<SalvagedCollection> Collect(const std::string& name) {
    SalvagedCollection salvaged{.store = store_, .name = name};
    std::string last;
    const Status forward = Read(name, false, "", last, salvaged.record_count);
    if (failed_) return Fail(*failed_);
    if (forward) return salvaged;
    std::string first;
    const Status backward = Read(name, true, last, first, salvaged.record_count);
    if (failed_) return Fail(*failed_);
    // Down to what was read already: there is no gap, whatever was said.
    if (is_joined_) return salvaged;
    salvaged.problem = forward.error().message;
    salvaged.after_key = last;
    salvaged.before_key = first;
    return salvaged;
  }

  // Leaves the key that was read last in `last`. Backward it ends at `stop`.
  Status Read(const std::string& name, bool is_backward, const std::string& stop, std::string& last,
              std::uint64_t& record_count) {
    is_joined_ = false;
    const auto work = [&](const ApartWriter& writer) {
      return SalvageRecords(engine_, file_, name, is_backward,
                            [&](std::string_view key, std::string_view value) {
                              std::string frame;
                              AppendSized(frame, key);
                              frame += value;
                              return writer.Write(frame);
                            });
    };
    return RunApart(work, [&](std::string_view frame) -> Status {
      ByteReader reader(frame);
      const std::string_view key = reader.ReadSized();
      if (is_backward && !stop.empty() && key <= stop) {
        is_joined_ = true;
        return Fail(ErrorCode::kCancelled, "everything is read");
      }
      if (auto taken = sink_(name, key, reader.ReadBytes(reader.remaining())); !taken) {
        failed_ = taken.error();
        return taken;
      }
      last = key;
      ++record_count;
      return {};
    });
  }

  const std::string store_;
  const std::string engine_;
  const std::string file_;
  const SalvageSink& sink_;
  std::optional<Error> failed_;  // of the sink: the end of it all
  bool is_joined_ = false;
};

}  // namespace

Status SalvageStore(const std::string& store, std::string_view engine, const std::string& file,
                    const SalvageSink& sink, SalvageReport& report) {
  return StoreSalvage(store, engine, file, sink).Run(report);
}

}  // namespace switchback
