#include "backends/lmdb_file_reader.hpp"
#include "server/transfer/export_source.hpp"

namespace switchback {
namespace {

// Ends a scan that has passed the prefix; never leaves this file.
constexpr ErrorCode kPastPrefix = ErrorCode::kCancelled;

class LmdbSource final : public ExportSource {
 public:
  LmdbSource(LmdbFileReader reader, std::string path)
      : reader_(std::move(reader)), path_(std::move(path)) {}

  Result<std::vector<ExportCollection>> Collections() override {
    std::vector<ExportCollection> all;
    for (const std::string& name : reader_.names()) {
      const auto count = reader_.Count(name);
      if (!count) return Fail(count.error());
      all.push_back({name, *count});
    }
    return all;
  }

  Status ForEach(const std::string& collection, const std::string& prefix,
                 const Visitor& visit) override {
    bool is_past = false;
    Status scanned =
        reader_.Scan(collection, prefix, [&](std::string_view key, std::string_view value) {
          is_past = !key.starts_with(prefix);
          return is_past ? Status(Fail(kPastPrefix, "")) : visit(key, value);
        });
    return is_past ? Status() : scanned;
  }

  [[nodiscard]] std::string Describe() const override { return "one snapshot of " + path_; }

  [[nodiscard]] std::vector<std::string> Warnings() const override {
    std::vector<std::string> all;
    for (const UnservableCollection& one : reader_.unservable())
      all.push_back("the database " + one.name + " is left out: " + one.reason);
    return all;
  }

 private:
  LmdbFileReader reader_;
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<ExportSource>> OpenLmdbSource(const std::string& path) {
  auto reader = LmdbFileReader::Open(path);
  if (!reader) return Fail(reader.error());
  return std::unique_ptr<ExportSource>(std::make_unique<LmdbSource>(*std::move(reader), path));
}

}  // namespace switchback
