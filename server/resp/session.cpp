#include "server/resp/session.hpp"

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// The thread's output buffer is given back when one turn made it larger than this.
constexpr std::size_t kKeptOutputBytesMax = 2 * kOutputHighWaterBytes;

bool IsWouldBlock(const NetError& error) {
  return error == net::error::would_block || error == net::error::try_again;
}

}  // namespace

RespSession::RespSession(std::shared_ptr<IoThread> thread, StreamSocket socket,
                         const TlsHandle& tls, std::shared_ptr<ClientInfo> info)
    : thread_(std::move(thread)),
      socket_(std::move(socket)),
      tls_(tls == nullptr ? nullptr : std::make_unique<TlsChannel>(tls, socket_.native_handle())),
      info_(std::move(info)),
      conversation_(thread_->core().environment, *thread_, *this, info_),
      input_progress_at_(info_->last_active()),
      output_progress_at_(input_progress_at_) {}

RespSession::~RespSession() {
  SB_CHECK(!socket_.is_open(), "a session is closed before it ends");
}

void RespSession::Start() {
  NetError ignored;  // a client that is gone already is noticed by the first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(net::socket_base::keep_alive(true), ignored);
  // Data is often there already: the first request comes right behind the connection.
  OnReadable({});
}

void RespSession::Close() {
  if (!socket_.is_open()) return;
  NetError ignored;
  if (tls_) tls_->SayGoodbye();
  // Without the shutdown, bytes that we did not read would turn the close into a reset and could
  // take the last reply away from the client.
  socket_.shutdown(StreamSocket::shutdown_send, ignored);
  socket_.close(ignored);
  pending_.Clear();
  pending_.ReleaseAbove(0);
  thread_->Forget(info_->id());
}

void RespSession::Drain() {
  if (!socket_.is_open() || !is_waiting_readable_) return;  // the others close when they are done
  is_waiting_readable_ = false;
  NetError ignored;
  socket_.cancel(ignored);
  OnReadable({});
}

void RespSession::CheckStalled(SteadyTime now) {
  if (!socket_.is_open()) return;
  if (!pending_.empty() && now - output_progress_at_ > thread_->core().output_stall_max) {
    CutOff("it takes no output");
    return;
  }
  const bool owes_input = conversation_.is_midway() || !conversation_.is_authenticated();
  if (owes_input && !conversation_.is_suspended() && pending_.empty() &&
      now - input_progress_at_ > kRequestStallMax) {
    LogInfo("resp: closing client {}: nothing came for too long in mid-request or before AUTH",
            info_->address());
    Close();
  }
}

void RespSession::CutOff(const char* reason) {
  LogWarning("resp: closing client {}: {} ({} bytes wait)", info_->address(), reason,
             pending_.size());
  ThreadCounters::Add(thread_->counters().slow_clients_closed, 1);
  Close();
}

std::size_t RespSession::ReadSome(char* to, std::size_t size, NetError& error) {
  if (tls_) [[unlikely]]
    return tls_->Read(to, size, error);
  return socket_.read_some(net::buffer(to, size), error);
}

std::size_t RespSession::WriteSome(std::string_view bytes, NetError& error) {
  if (tls_) [[unlikely]]
    return tls_->Write(bytes.data(), bytes.size(), error);
  return socket_.write_some(net::buffer(bytes.data(), bytes.size()), error);
}

void RespSession::WaitReadable() {
  if (is_waiting_readable_) return;
  is_waiting_readable_ = true;
  if (tls_ && tls_->has_pending()) {
    net::post(thread_->context(), [self = shared_from_this()] { self->OnReadable({}); });
    return;
  }
  socket_.async_wait(StreamSocket::wait_read,
                     [self = shared_from_this()](NetError error) { self->OnReadable(error); });
}

void RespSession::OnReadable(NetError error) {
  if (error == net::error::operation_aborted || !socket_.is_open()) return;
  is_waiting_readable_ = false;
  if (error) return Close();
  const bool is_borrowed = input_.empty();
  char* to = thread_->read_buffer().data();
  std::size_t room = thread_->read_buffer().size();
  if (!is_borrowed) {
    to = input_.Reserve(kReadBytes);  // doubles with what has arrived
    room = input_.room();
  }
  const std::size_t size = ReadSome(to, room, error);
  if (IsWouldBlock(error)) return WaitForNext();
  if (error == net::error::eof) {
    // A client may close its side and still read: what it sent before is answered.
    is_input_ended_ = true;
  } else if (error) {
    return Close();
  }
  ThreadCounters::Add(thread_->counters().bytes_in, size);
  input_progress_at_ = thread_->core().environment.clock->Now();
  info_->SetLastActive(input_progress_at_);
  if (is_borrowed) return Process({to, size}, true);
  input_.Commit(size);
  Process(input_.view(), false);
}

void RespSession::Process(std::string_view input, bool is_borrowed) {
  const Conversation::Progress progress = conversation_.Consume(input, thread_->output());
  if (is_borrowed) {
    input_.Append(input.substr(progress.consumed));
  } else {
    input_.Consume(progress.consumed);
    input_.ReleaseAbove(kIdleBufferBytesMax);
  }
  Flush(progress.state);
}

void RespSession::Flush(ConversationState state) {
  state_ = state;
  // The batch ends on another thread; until its mail is delivered nobody else may hold us.
  if (state == ConversationState::kSuspended) keep_alive_ = shared_from_this();
  ByteBuffer& output = thread_->output();
  if (!output.empty()) {
    Write(output.view());
    output.Clear();
    output.ReleaseAbove(kKeptOutputBytesMax);
  }
  if (!socket_.is_open()) return;
  if (pending_.size() > thread_->core().environment.output_bytes_max) {
    return CutOff("it reads more slowly than it asks");
  }
  WaitForNext();
}

void RespSession::Write(std::string_view bytes) {
  std::size_t written = 0;
  if (pending_.empty()) {
    NetError error;
    written = WriteSome(bytes, error);
    if (error && !IsWouldBlock(error)) return Close();
    ThreadCounters::Add(thread_->counters().bytes_out, written);
    if (written == bytes.size()) return;
    output_progress_at_ = thread_->core().environment.clock->Now();
  }
  pending_.Append(bytes.substr(written));
}

void RespSession::WaitForNext() {
  if (!pending_.empty()) return WaitWritable();
  switch (state_) {
    case ConversationState::kSuspended: return;
    case ConversationState::kClosing: return Close();
    case ConversationState::kOutputFull:
      // Others' turn first.
      net::post(thread_->context(), [self = shared_from_this()] {
        if (self->socket_.is_open()) self->Process(self->input_.view(), false);
      });
      return;
    case ConversationState::kNeedsInput:
      if (is_input_ended_ || thread_->is_draining()) return Close();
      return WaitReadable();
  }
}

void RespSession::WaitWritable() {
  if (is_waiting_writable_) return;
  is_waiting_writable_ = true;
  socket_.async_wait(StreamSocket::wait_write,
                     [self = shared_from_this()](NetError error) { self->OnWritable(error); });
}

void RespSession::OnWritable(NetError error) {
  if (!socket_.is_open()) return;
  is_waiting_writable_ = false;
  if (error) return Close();
  const std::string_view bytes = pending_.view();
  const std::size_t written = WriteSome(bytes, error);
  if (error && !IsWouldBlock(error)) return Close();
  ThreadCounters::Add(thread_->counters().bytes_out, written);
  if (written > 0) output_progress_at_ = thread_->core().environment.clock->Now();
  pending_.Consume(written);
  pending_.ReleaseAbove(kIdleBufferBytesMax);
  WaitForNext();
}

void RespSession::Deliver() {
  const std::shared_ptr<RespSession> self = std::move(keep_alive_);
  if (!socket_.is_open()) return;
  conversation_.Resume(thread_->output());
  // Replies of the batch and of what stands behind it leave in one write.
  if (pending_.empty()) return Process(input_.view(), false);
  Flush(ConversationState::kOutputFull);
}

}  // namespace switchback
