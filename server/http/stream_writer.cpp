#include "server/http/stream_writer.hpp"

#include <utility>

namespace switchback {
namespace {

// More than that after the request is no client of ours.
constexpr std::size_t kUnwantedBytesMax = 64u << 10;
constexpr std::chrono::milliseconds kGoodbyeTimeMax{500};

}  // namespace

StreamWriter::StreamWriter(std::shared_ptr<HttpSession> session, DoorStream& stream,
                           HttpSessionShared& shared, std::shared_ptr<BodyStream> body)
    : session_(std::move(session)),
      stream_(stream),
      shared_(shared),
      body_(std::move(body)),
      heartbeat_(stream.get_executor()) {}

void StreamWriter::Start() {
  stream_.expires_never();
  Read();
  body_->Open([weak = weak_from_this(), executor = stream_.get_executor()] {
    net::post(executor, [weak] {
      if (const auto self = weak.lock()) self->Pump();
    });
  });
  AwaitHeartbeat();
  Pump();
}

// Nothing is expected; but only a reader learns soon that the client has gone.
void StreamWriter::Read() {
  stream_.async_read_some(net::buffer(unwanted_),
                          [self = shared_from_this()](NetError error, std::size_t size) {
                            self->unwanted_bytes_ += size;
                            if (error || self->unwanted_bytes_ > kUnwantedBytesMax) {
                              self->Stop();
                            } else {
                              self->Read();
                            }
                          });
}

void StreamWriter::Pump() {
  if (is_writing_ || is_stopped_) return;
  BodyStream::Piece piece = body_->Take();
  is_last_ = piece.is_last;
  if (!piece.bytes.empty()) {
    Write(std::move(piece.bytes));
  } else if (is_last_) {
    Stop();
  }
}

void StreamWriter::Write(std::string bytes) {
  is_writing_ = true;
  piece_ = std::move(bytes);
  // The pending read keeps its own limit, which is none.
  stream_.expires_after(shared_.options.timeout);
  net::async_write(stream_, net::buffer(piece_),
                   [self = shared_from_this()](NetError error, std::size_t size) {
                     self->OnWrite(error, size);
                   });
}

void StreamWriter::OnWrite(NetError error, std::size_t size) {
  is_writing_ = false;
  shared_.bytes_out += size;
  if (error == boost::beast::error::timeout) ++shared_.slow_clients_closed;
  if (is_stopped_) return;
  if (error || is_last_) {
    Stop();
    return;
  }
  AwaitHeartbeat();
  Pump();
}

void StreamWriter::AwaitHeartbeat() {
  heartbeat_.expires_after(shared_.options.stream_heartbeat);
  heartbeat_.async_wait([self = shared_from_this()](NetError cancelled) {
    // A piece under way has a time limit of its own.
    if (!cancelled && !self->is_writing_ && !self->is_stopped_)
      self->Write(self->body_->Heartbeat());
  });
}

void StreamWriter::Stop() {
  if (is_stopped_) return;
  is_stopped_ = true;
  heartbeat_.cancel();
  DoorStream::Tls* const tls = stream_.tls();
  if (tls == nullptr || is_writing_) {
    Close();
    return;
  }
  // So that the client knows that nothing was cut off.
  stream_.expires_after(kGoodbyeTimeMax);
  tls->async_shutdown([self = shared_from_this()](NetError) { self->Close(); });
}

void StreamWriter::Close() {
  NetError ignored;
  stream_.socket().shutdown(StreamSocket::shutdown_both, ignored);
  stream_.close();
}

}  // namespace switchback
