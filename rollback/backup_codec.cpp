#include "rollback/backup_codec.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "rollback/sha256.hpp"

namespace switchback {
namespace {

constexpr std::size_t kBufferBytes = 1u << 20;

struct CompressorFree {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};
struct DecompressorFree {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// Counts and hashes what passes, and writes it where there is a file for it.
class Sink {
 public:
  Status Open(const std::string& path) {
    if (path.empty()) return {};
    auto file = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) return Fail(file.error());
    file_ = *std::move(file);
    return {};
  }
  Status Add(std::string_view bytes) {
    hash_.Add(bytes);
    if (file_.is_open()) SB_RETURN_IF_ERROR(WriteAt(file_.get(), bytes, bytes_));
    bytes_ += bytes.size();
    return {};
  }
  Result<FileSum> Finish() {
    if (file_.is_open() && ::fsync(file_.get()) != 0) return FailErrno("sync a file", errno);
    return FileSum{bytes_, hash_.FinishHex()};
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  UniqueFd file_;
  Sha256 hash_;
  std::uint64_t bytes_ = 0;
};

tl::unexpected<Error> FailZstd(const char* doing, std::size_t code) {
  return Fail(ErrorCode::kCorruption, std::string(doing) + ": " + ZSTD_getErrorName(code));
}

Result<UnpackedSums> Finish(Sink& packed, Sink& raw) {
  auto packed_sum = packed.Finish();
  if (!packed_sum) return Fail(packed_sum.error());
  auto raw_sum = raw.Finish();
  if (!raw_sum) return Fail(raw_sum.error());
  return UnpackedSums{*std::move(packed_sum), *std::move(raw_sum)};
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

}  // namespace

Result<UnpackedSums> CompressFile(const std::string& from, const std::string& to, int level,
                                  const ReadView::CopyStep& step) {
  auto source = OpenFile(from, O_RDONLY);
  if (!source) return Fail(source.error());
  Sink packed;
  Sink raw;
  SB_RETURN_IF_ERROR(packed.Open(to));
  const std::unique_ptr<ZSTD_CCtx, CompressorFree> context(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::vector<char> in(kBufferBytes);
  std::vector<char> out(ZSTD_CStreamOutSize());
  for (bool is_last = false; !is_last;) {
    auto size = ReadAt(source->get(), in.data(), in.size(), raw.bytes());
    if (!size) return Fail(size.error());
    is_last = *size < in.size();
    SB_RETURN_IF_ERROR(raw.Add({in.data(), *size}));
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
  return Finish(packed, raw);
}

Result<UnpackedSums> UnpackFile(int fd, bool is_compressed, std::uint64_t raw_bytes_max,
                                const std::string& to, const ReadView::CopyStep& step) {
  Sink packed;
  Sink raw;
  SB_RETURN_IF_ERROR(raw.Open(to));
  const std::unique_ptr<ZSTD_DCtx, DecompressorFree> context(ZSTD_createDCtx());
  // What our own compressor makes needs far less; a made-up header must not take all memory.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
  std::vector<char> in(kBufferBytes);
  std::vector<char> out(is_compressed ? ZSTD_DStreamOutSize() : 0);
  bool is_at_end = false;
  std::uint64_t position = 0;
  for (bool is_last = false; !is_last;) {
    auto size = ReadAt(fd, in.data(), in.size(), position);
    if (!size) return Fail(size.error());
    is_last = *size < in.size();
    position += *size;
    const std::string_view bytes(in.data(), *size);
    if (is_compressed) {
      SB_RETURN_IF_ERROR(packed.Add(bytes));
      SB_RETURN_IF_ERROR(Decompress(context.get(), bytes, raw_bytes_max, out, raw, is_at_end));
    } else {
      if (raw.bytes() + *size > raw_bytes_max)
        return Fail(ErrorCode::kCorruption, "larger than the manifest says");
      SB_RETURN_IF_ERROR(raw.Add(bytes));
    }
    SB_RETURN_IF_ERROR(step(*size));
  }
  if (is_compressed && !is_at_end) return Fail(ErrorCode::kCorruption, "unpack: cut short");
  if (is_compressed) return Finish(packed, raw);
  auto sum = raw.Finish();
  if (!sum) return Fail(sum.error());
  return UnpackedSums{*sum, *sum};
}

void BeginWriteback(const std::string& path) {
  auto file = OpenFile(path, O_RDONLY);
  if (file) ::sync_file_range(file->get(), 0, 0, SYNC_FILE_RANGE_WRITE);
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
