#include "server/tls/tls_client.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace switchback {
namespace {

tl::unexpected<Error> Wrong(const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return Fail(ErrorCode::kInvalidArgument, what + ": " + text.data());
}

bool IsIpAddress(const std::string& host) {
  std::array<unsigned char, 16> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

}  // namespace

Result<TlsHandle> LoadTlsClient(const TlsClientOptions& options) {
  TlsHandle context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (context == nullptr) return Wrong("tls");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const bool has_roots =
      options.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(context.get()) == 1
          : SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) == 1;
  if (!has_roots) return Wrong("read the certificates in " + options.ca_file);
  if (options.certificate.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1)
    return Wrong("read the certificate " + options.certificate);
  const std::string& key = options.key.empty() ? options.certificate : options.key;
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Wrong("read the key " + key);
  return context;
}

Status ExpectHost(ssl_st* connection, const std::string& host) {
  if (IsIpAddress(host)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.c_str()) == 1) return {};
    return Wrong("expect the address " + host);
  }
  SSL_set_tlsext_host_name(connection, host.c_str());
  return SSL_set1_host(connection, host.c_str()) == 1 ? Status{} : Wrong("expect the host " + host);
}

std::string CertificateProblem(ssl_st* connection) {
  const long result = SSL_get_verify_result(connection);
  return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

}  // namespace switchback
