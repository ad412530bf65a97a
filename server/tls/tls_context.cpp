#include "server/tls/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

namespace switchback {
namespace {

Error TlsError(const std::string& doing) {
  std::array<char, 256> text{};
  const unsigned long code = ERR_peek_last_error();
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return {ErrorCode::kInvalidArgument, doing + ": " + (code == 0 ? "unknown" : text.data())};
}

Status CheckKeyFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FailErrno("tls key " + path, errno);
  if ((info.st_mode & 077) != 0)
    return Fail(ErrorCode::kRefused, "tls key " + path + " can be read by others: chmod 600 it");
  return {};
}

Status CheckReadable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? Status{} : FailErrno("tls file " + path, errno);
}

Status UseFiles(SSL_CTX* context, const TlsOptions& options) {
  SB_RETURN_IF_ERROR(CheckReadable(options.certificate));
  SB_RETURN_IF_ERROR(CheckKeyFile(options.key));
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1)
    return Fail(TlsError("tls certificate " + options.certificate));
  if (SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Fail(TlsError("tls key " + options.key));
  if (SSL_CTX_check_private_key(context) != 1)
    return Fail(TlsError("tls key " + options.key + " does not fit the certificate"));
  return {};
}

Status AskForClients(SSL_CTX* context, const std::string& path) {
  SB_RETURN_IF_ERROR(CheckReadable(path));
  if (SSL_CTX_load_verify_locations(context, path.c_str(), nullptr) != 1)
    return Fail(TlsError("tls client_ca " + path));
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(path.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

std::vector<std::string> TlsOptions::Files() const {
  std::vector<std::string> files{certificate, key};
  if (!client_ca.empty()) files.push_back(client_ca);
  return files;
}

Result<TlsHandle> LoadTls(const TlsOptions& options) {
  ERR_clear_error();
  TlsHandle context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return Fail(TlsError("tls"));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  constexpr std::array<unsigned char, 10> kSessionName{'s', 'w', 'i', 't', 'c',
                                                       'h', 'b', 'a', 'c', 'k'};
  SSL_CTX_set_session_id_context(context.get(), kSessionName.data(), kSessionName.size());
  SB_RETURN_IF_ERROR(UseFiles(context.get(), options));
  if (!options.client_ca.empty())
    SB_RETURN_IF_ERROR(AskForClients(context.get(), options.client_ca));
  return context;
}

Status TlsContext::Load() {
  auto loaded = LoadTls(options_);
  if (!loaded) return Fail(loaded.error());
  const MutexLock lock(mutex_);
  current_ = *std::move(loaded);
  return {};
}

TlsHandle TlsContext::Current() const {
  const MutexLock lock(mutex_);
  return current_;
}

}  // namespace switchback
