#include "rollback/backup_codec.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "backends/write_pacer.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/sha256.hpp"

namespace switchback {
namespace {

constexpr std::size_t kBufferBytes = 256u << 10;

struct CompressorFree {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};
struct DecompressorFree {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// Where bytes pass. Thread-compatible.
class Sink {
 public:
  virtual ~Sink() = default;
  Status Add(std::string_view bytes) {
    SB_RETURN_IF_ERROR(Take(bytes, bytes_));
    bytes_ += bytes.size();
    return {};
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  virtual Status Take(std::string_view bytes, std::uint64_t offset) = 0;
  std::uint64_t bytes_ = 0;
};

// Writes what passes to a new file, at the pace of this thread.
class FileSink final : public Sink {
 public:
  explicit FileSink(UniqueFd file) : file_(std::move(file)) {}
  [[nodiscard]] Status Sync() const {
    if (::fsync(file_.get()) != 0) return FailErrno("sync a file", errno);
    return {};
  }

 private:
  Status Take(std::string_view bytes, std::uint64_t offset) override {
    SB_RETURN_IF_ERROR(WriteAt(file_.get(), bytes, offset));
    return PaceWrite(file_.get(), bytes.size(), offset);
  }
  UniqueFd file_;
};

// Hashes what passes, and writes it where there is a file for it.
class HashingSink final : public Sink {
 public:
  Status Open(const std::string& path) {
    if (path.empty()) return {};
    auto file = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) return Fail(file.error());
    file_.emplace(*std::move(file));
    return {};
  }
  Result<FileSum> Finish() {
    if (file_) SB_RETURN_IF_ERROR(file_->Sync());
    return FileSum{bytes(), hash_.FinishHex()};
  }

 private:
  Status Take(std::string_view bytes, std::uint64_t /*offset*/) override {
    hash_.Add(bytes);
    return file_ ? file_->Add(bytes) : Status{};
  }
  std::optional<FileSink> file_;
  Sha256 hash_;
};

// Counts what passes.
class CountingSink final : public Sink {
  Status Take(std::string_view /*bytes*/, std::uint64_t /*offset*/) override { return {}; }
};

// Compares what passes with a file: cheaper than a hash, and exact.
class ComparingSink final : public Sink {
 public:
  explicit ComparingSink(UniqueFd file) : file_(std::move(file)) {}
  // The file ends here, too.
  Status Finish() {
    char byte = 0;
    auto left = ReadAt(file_.get(), &byte, 1, bytes());
    if (!left) return Fail(left.error());
    return *left == 0 ? Status{} : Differs();
  }

 private:
  static Status Differs() {
    return Fail(ErrorCode::kCorruption, "what was compressed does not unpack to the same");
  }
  Status Take(std::string_view bytes, std::uint64_t offset) override {
    expected_.resize(bytes.size());
    auto size = ReadAt(file_.get(), expected_.data(), expected_.size(), offset);
    if (!size) return Fail(size.error());
    return std::string_view(expected_.data(), *size) == bytes ? Status{} : Differs();
  }
  UniqueFd file_;
  std::vector<char> expected_;
};

tl::unexpected<Error> FailZstd(const char* doing, std::size_t code) {
  return Fail(ErrorCode::kCorruption, std::string(doing) + ": " + ZSTD_getErrorName(code));
}

// Unpacks `bytes` into `raw`. `is_at_end`: a frame is whole so far.
Status Decompress(ZSTD_DCtx* context, std::string_view bytes, std::uint64_t raw_bytes_max,
                  std::vector<char>& out, Sink& raw, bool& is_at_end) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::size_t input_before = input.pos;
    const std::size_t left = ZSTD_decompressStream(context, &output, &input);
    if (ZSTD_isError(left) != 0) return FailZstd("unpack", left);
    // Asked for more behind the end of a frame it says that a next one is missing.
    if (input.pos == input_before && output.pos == 0) return {};
    is_at_end = left == 0;
    if (raw.bytes() + output.pos > raw_bytes_max)
      return Fail(ErrorCode::kCorruption, "unpack: more than the manifest says");
    SB_RETURN_IF_ERROR(raw.Add({out.data(), output.pos}));
    if (input.pos == input.size && output.pos < output.size) return {};
  }
}

// All of a compressed file, through `packed` and unpacked through `raw`.
Status UnpackThrough(int fd, std::uint64_t raw_bytes_max, Sink& packed, Sink& raw,
                     const ReadView::CopyStep& step) {
  const std::unique_ptr<ZSTD_DCtx, DecompressorFree> context(ZSTD_createDCtx());
  // What our own compressor makes needs far less; a made-up header must not take all memory.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
  std::vector<char> in(kBufferBytes);
  std::vector<char> out(ZSTD_DStreamOutSize());
  bool is_at_end = false;
  for (bool is_last = false; !is_last;) {
    auto size = ReadAt(fd, in.data(), in.size(), packed.bytes());
    if (!size) return Fail(size.error());
    is_last = *size < in.size();
    const std::string_view bytes(in.data(), *size);
    SB_RETURN_IF_ERROR(packed.Add(bytes));
    SB_RETURN_IF_ERROR(Decompress(context.get(), bytes, raw_bytes_max, out, raw, is_at_end));
    SB_RETURN_IF_ERROR(step(*size));
  }
  if (!is_at_end) return Fail(ErrorCode::kCorruption, "unpack: cut short");
  return {};
}

Status ReadThrough(int fd, std::uint64_t bytes_max, Sink& sink, const ReadView::CopyStep& step) {
  std::vector<char> in(kBufferBytes);
  for (bool is_last = false; !is_last;) {
    auto size = ReadAt(fd, in.data(), in.size(), sink.bytes());
    if (!size) return Fail(size.error());
    is_last = *size < in.size();
    if (sink.bytes() + *size > bytes_max)
      return Fail(ErrorCode::kCorruption, "larger than the manifest says");
    SB_RETURN_IF_ERROR(sink.Add({in.data(), *size}));
    SB_RETURN_IF_ERROR(step(*size));
  }
  return {};
}

}  // namespace

Status CompressFile(const std::string& from, const std::string& to, int level,
                    const ReadView::CopyStep& step) {
  auto source = OpenFile(from, O_RDONLY);
  if (!source) return Fail(source.error());
  auto file = OpenFile(to, O_WRONLY | O_CREAT | O_EXCL);
  if (!file) return Fail(file.error());
  FileSink packed(*std::move(file));
  const std::unique_ptr<ZSTD_CCtx, CompressorFree> context(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::vector<char> in(kBufferBytes);
  std::vector<char> out(ZSTD_CStreamOutSize());
  std::uint64_t position = 0;
  for (bool is_last = false; !is_last;) {
    auto size = ReadAt(source->get(), in.data(), in.size(), position);
    if (!size) return Fail(size.error());
    position += *size;
    is_last = *size < in.size();
    ZSTD_inBuffer input{in.data(), *size, 0};
    std::size_t left = 1;
    while (left != 0 && (is_last || input.pos < input.size)) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      left = ZSTD_compressStream2(context.get(), &output, &input,
                                  is_last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) return FailZstd("compress", left);
      SB_RETURN_IF_ERROR(packed.Add({out.data(), output.pos}));
    }
    SB_RETURN_IF_ERROR(step(*size));
  }
  return {};
}

Result<FileSum> CheckUnpacksTo(int fd, const std::string& raw_path,
                               const ReadView::CopyStep& step) {
  auto expected = OpenFile(raw_path, O_RDONLY);
  if (!expected) return Fail(expected.error());
  HashingSink packed;
  ComparingSink raw(*std::move(expected));
  SB_RETURN_IF_ERROR(UnpackThrough(fd, UINT64_MAX, packed, raw, step));
  SB_RETURN_IF_ERROR(raw.Finish());
  return packed.Finish();
}

Result<UnpackedSums> UnpackFile(int fd, bool is_compressed, std::uint64_t raw_bytes_max,
                                const std::string& to, const ReadView::CopyStep& step) {
  HashingSink packed;
  HashingSink raw;
  SB_RETURN_IF_ERROR(raw.Open(to));
  if (!is_compressed) {
    SB_RETURN_IF_ERROR(ReadThrough(fd, raw_bytes_max, raw, step));
    auto sum = raw.Finish();
    if (!sum) return Fail(sum.error());
    return UnpackedSums{*sum, *sum};
  }
  SB_RETURN_IF_ERROR(UnpackThrough(fd, raw_bytes_max, packed, raw, step));
  auto packed_sum = packed.Finish();
  if (!packed_sum) return Fail(packed_sum.error());
  auto raw_sum = raw.Finish();
  if (!raw_sum) return Fail(raw_sum.error());
  return UnpackedSums{*std::move(packed_sum), *std::move(raw_sum)};
}

Status UnpackToScratch(int fd, std::uint64_t raw_bytes_max, const std::string& to) {
  auto file = OpenFile(to, O_WRONLY | O_CREAT | O_EXCL);
  if (!file) return Fail(file.error());
  CountingSink packed;
  FileSink raw(*std::move(file));
  return UnpackThrough(fd, raw_bytes_max, packed, raw, [](std::uint64_t) { return Status{}; });
}

Status SyncFile(const std::string& path) {
  SB_RETURN_IF_ERROR(Failpoint("backup.sync"));
  auto file = OpenFile(path, O_RDWR);
  if (!file) return Fail(file.error());
  if (::fchmod(file->get(), 0600) != 0) return FailErrno("chmod " + path, errno);
  if (::fsync(file->get()) != 0) return FailErrno("sync " + path, errno);
  return {};
}

}  // namespace switchback
