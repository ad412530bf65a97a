#include "rollback/s3_upload.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/sha256.hpp"

namespace switchback {
namespace {

constexpr std::size_t kChunkBytes = 256u << 10;
constexpr int kListPagesMax = 100;

// Adds the range's bytes to each of the hashes.
template <class... Hash>
Status HashRange(const FileRange& range, Hash&... hashes) {
  std::string chunk(kChunkBytes, '\0');
  for (std::uint64_t done = 0; done < range.bytes;) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, range.bytes - done));
    const auto got = ReadAt(range.fd, chunk.data(), size, range.offset + done);
    if (!got) return Fail(got.error());
    if (*got != size) return Fail(ErrorCode::kCorruption, "shorter than the manifest says");
    (hashes.Add({chunk.data(), size}), ...);
    done += size;
  }
  return {};
}

Status AbortUpload(S3Client& client, const std::string& key, const std::string& upload_id,
                   BackupProgress& progress) {
  S3Call call{.method = "DELETE", .key = key, .query = {{"uploadId", upload_id}}};
  const auto reply = client.Send(call, progress);
  if (!reply && reply.error().code != ErrorCode::kNotFound) return Fail(reply.error());
  return {};
}

// Unfinished uploads of keys with the prefix, as keys without the place's own prefix.
Result<std::vector<S3UploadPage::Upload>> ListUploads(S3Client& client,
                                                      const std::string& key_prefix,
                                                      BackupProgress& progress) {
  const std::string& prefix = client.place().prefix;
  S3Call call{.method = "GET", .query = {{"prefix", prefix + key_prefix}, {"uploads", ""}}};
  std::vector<S3UploadPage::Upload> uploads;
  for (int number = 0; number < kListPagesMax; ++number) {
    const auto reply = client.Send(call, progress);
    if (!reply) return Fail(reply.error());
    const auto page = ParseS3Uploads(reply->text);
    if (!page) return Fail(page.error());
    for (const auto& upload : page->uploads) {
      if (upload.key.starts_with(prefix + key_prefix))
        uploads.push_back({upload.key.substr(prefix.size()), upload.id});
    }
    if (!page->is_truncated || page->next_key.empty()) return uploads;
    call.query["key-marker"] = page->next_key;
    call.query["upload-id-marker"] = page->next_id;
  }
  return Fail(ErrorCode::kTooLarge, "too many unfinished uploads in " + client.place().Name());
}

}  // namespace

std::uint64_t S3PartBytes(std::uint64_t file_bytes, std::uint64_t wanted) {
  const std::uint64_t least = (file_bytes + kS3PartCountMax - 1) / kS3PartCountMax;
  constexpr std::uint64_t kUnit = 1u << 20;
  return std::max({wanted, kS3PartBytesMin, (least + kUnit - 1) / kUnit * kUnit});
}

FileRange S3Upload::Range(std::uint64_t number) const {
  const std::uint64_t offset = (number - 1) * part_bytes_;
  return {fd_, offset, std::min(part_bytes_, sum_.bytes - offset)};
}

Status S3Upload::Run() {
  SB_RETURN_IF_ERROR(Failpoint("target.put"));
  if (sum_.bytes <= part_bytes_) return PutWhole();
  SB_RETURN_IF_ERROR(FindOrBegin());
  SB_RETURN_IF_ERROR(PutParts());
  return Complete();
}

Status S3Upload::PutWhole() {
  Sha256 hash;
  SB_RETURN_IF_ERROR(HashRange({fd_, 0, sum_.bytes}, hash));
  S3Call call{.method = "PUT", .key = key_};
  call.source = {fd_, 0, sum_.bytes};
  call.sha256 = hash.FinishHex();
  call.is_counted = true;
  if (call.sha256 != sum_.sha256)
    return Fail(ErrorCode::kCorruption, key_ + ": its checksum is not the manifest's");
  const auto reply = client_.Send(call, progress_);
  if (!reply) return Fail(reply.error());
  return {};
}

// Of several, one: the others would be paid for and never used.
Status S3Upload::FindOrBegin() {
  auto uploads = ListUploads(client_, key_, progress_);
  if (!uploads) return Fail(uploads.error());
  for (const auto& upload : *uploads) {
    if (upload.key != key_) continue;
    if (upload_id_.empty()) {
      upload_id_ = upload.id;
    } else {
      SB_RETURN_IF_ERROR(AbortUpload(client_, key_, upload.id, progress_));
    }
  }
  if (!upload_id_.empty()) return LoadParts();
  S3Call call{.method = "POST", .key = key_, .query = {{"uploads", ""}}};
  const auto reply = client_.Send(call, progress_);
  if (!reply) return Fail(reply.error());
  auto id = ParseS3UploadId(reply->text);
  if (!id) return Fail(id.error());
  upload_id_ = *std::move(id);
  return {};
}

Status S3Upload::LoadParts() {
  S3Call call{.method = "GET", .key = key_, .query = {{"uploadId", upload_id_}}};
  for (int number = 0; number < kListPagesMax; ++number) {
    const auto reply = client_.Send(call, progress_);
    if (!reply) return Fail(reply.error());
    auto page = ParseS3Parts(reply->text);
    if (!page) return Fail(page.error());
    parts_there_.merge(page->parts);
    if (page->next.empty()) return {};
    call.query["part-number-marker"] = page->next;
  }
  return Fail(ErrorCode::kTooLarge, key_ + ": the target's list of parts does not end");
}

// Of this very content: S3's tag of a part is its MD5, unless the bucket encrypts with keys of its
// own; then it is sent again.
Result<bool> S3Upload::IsPartThere(std::uint32_t number) const {
  const auto part = parts_there_.find(number);
  const FileRange range = Range(number);
  if (part == parts_there_.end() || part->second.bytes != range.bytes) return false;
  Md5 md5;
  SB_RETURN_IF_ERROR(HashRange(range, md5));
  return md5.FinishHex() == part->second.etag;
}

Result<std::string> S3Upload::PutPart(std::uint32_t number, const std::string& sha256) {
  SB_RETURN_IF_ERROR(Failpoint("target.part"));
  S3Call call{.method = "PUT", .key = key_};
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id_}};
  call.source = Range(number);
  call.sha256 = sha256;
  call.is_counted = true;
  const auto reply = client_.Send(call, progress_);
  if (!reply) return Fail(reply.error());
  const auto etag = reply->headers.find("etag");
  if (etag == reply->headers.end())
    return Fail(ErrorCode::kIo, client_.place().Name() + ": a part was stored without a tag");
  return std::string(WithoutQuotes(etag->second));
}

Status S3Upload::PutParts() {
  Sha256 whole;
  const auto count = static_cast<std::uint32_t>((sum_.bytes + part_bytes_ - 1) / part_bytes_);
  SB_CHECK(count <= kS3PartCountMax, "parts are large enough");
  for (std::uint32_t number = 1; number <= count; ++number) {
    Sha256 part;
    SB_RETURN_IF_ERROR(HashRange(Range(number), part, whole));
    const auto is_there = IsPartThere(number);
    if (!is_there) return Fail(is_there.error());
    if (*is_there) {
      etags_.push_back(parts_there_.at(number).etag);
      SB_RETURN_IF_ERROR(progress_.Advance(Range(number).bytes));
      continue;
    }
    auto etag = PutPart(number, part.FinishHex());
    if (!etag) return Fail(etag.error());
    etags_.push_back(*std::move(etag));
  }
  if (whole.FinishHex() == sum_.sha256) return {};
  SB_RETURN_IF_ERROR(AbortUpload(client_, key_, upload_id_, progress_));
  return Fail(ErrorCode::kCorruption, key_ + ": its checksum is not the manifest's");
}

// Asked for again after an answer that was lost, it says that there is no such upload any more:
// whether the object is there is looked at before the manifest is stored.
Status S3Upload::Complete() {
  SB_RETURN_IF_ERROR(Failpoint("target.complete"));
  S3Call call{.method = "POST", .key = key_, .query = {{"uploadId", upload_id_}}};
  call.text = S3CompleteBody(etags_);
  const auto reply = client_.Send(call, progress_);
  if (!reply && reply.error().code == ErrorCode::kNotFound) return {};
  if (!reply) return Fail(reply.error());
  if (IsS3UploadComplete(reply->text)) return {};
  const S3Failure failure = ParseS3Failure(reply->text);
  return Fail(ErrorCode::kUnavailable, client_.place().Name() + ": the parts of " + key_ +
                                           " were not put together (" + failure.code + ": " +
                                           failure.message + "): upload it again");
}

Result<std::size_t> AbortS3Uploads(S3Client& client, const std::string& key_prefix,
                                   BackupProgress& progress) {
  const auto uploads = ListUploads(client, key_prefix, progress);
  if (!uploads) return Fail(uploads.error());
  for (const auto& upload : *uploads)
    SB_RETURN_IF_ERROR(AbortUpload(client, upload.key, upload.id, progress));
  return uploads->size();
}

}  // namespace switchback
