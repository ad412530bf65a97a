// TLS at the client's end, for the commands that talk to a server.
#pragma once

#include <string>

#include "server/tls/tls_context.hpp"

struct ssl_st;

namespace switchback {

struct TlsClientOptions {
  std::string ca_file;           // PEM; "" = those that the system trusts
  std::string certificate, key;  // PEM, for a server that asks for them; "" = none
};

// Errors: kNotFound, kInvalidArgument (no PEM).
Result<TlsHandle> LoadTlsClient(const TlsClientOptions& options);

// From the handshake on only a certificate for `host`, a name or an IP address, is good enough.
Status ExpectHost(ssl_st* connection, const std::string& host);

// Why the handshake on that connection failed, as far as the certificate is concerned; "" = it is
// not.
std::string CertificateProblem(ssl_st* connection);

}  // namespace switchback
