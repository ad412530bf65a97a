#include "server/resp/io_thread.hpp"

#include <pthread.h>

#include "common/check.hpp"
#include "common/log.hpp"
#include "server/peer.hpp"
#include "server/resp/session.hpp"

namespace switchback {
namespace {

constexpr std::chrono::seconds kTick{1};

}  // namespace

IoThread::IoThread(std::shared_ptr<ServerCore> core)
    : core_(std::move(core)), read_buffer_(new std::array<char, kReadBytes>) {}

IoThread::~IoThread() {
  SB_CHECK(!thread_.joinable(), "an io thread is joined before it ends");
}

void IoThread::Start() {
  session_ = core_->environment.service.NewSession();
  WaitForTick();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "resp-io");
    context_.run();
  });
}

void IoThread::PostDrain() {
  net::post(context_, [this] {
    is_draining_ = true;
    for (const auto& session : Sessions()) session->Drain();
  });
}

void IoThread::PostCloseAll() {
  net::post(context_, [this] {
    for (const auto& session : Sessions()) session->Close();
  });
}

void IoThread::PostCheckStalled() {
  net::post(context_, [this] { CheckStalled(); });
}

void IoThread::Join() {
  // Every connection is closed; the loop ends by itself when it has run what is left. (To stop it
  // would leave handlers that hold connections that hold this thread.)
  net::post(context_, [this] {
    tick_.cancel();
    work_.reset();
  });
  if (thread_.joinable()) thread_.join();
  if (session_ != nullptr) session_->EndTurn();
  session_.reset();
}

void IoThread::PostAdopt(StreamSocket socket, TlsHandle tls) {
  net::post(context_, [this, adopted = std::move(socket), tls = std::move(tls)]() mutable {
    Adopt(std::move(adopted), tls);
  });
}

void IoThread::Adopt(StreamSocket socket, const TlsHandle& tls) {
  if (is_draining_) {
    // Accepted just before the listener closed.
    load_.fetch_sub(1, std::memory_order_relaxed);
    core_->gate.Leave();
    return;
  }
  const int descriptor = socket.native_handle();
  CommandEnvironment& environment = core_->environment;
  const std::uint64_t id = environment.clients.NextId();
  auto info =
      std::make_shared<ClientInfo>(id, PeerText(descriptor), LocalText(descriptor), descriptor,
                                   environment.clock->Now(), [weak = weak_from_this(), id] {
                                     if (const auto thread = weak.lock()) thread->PostKill(id);
                                   });
  auto session = std::make_shared<RespSession>(shared_from_this(), std::move(socket), tls, info);
  environment.clients.Add(std::move(info));
  sessions_.emplace(id, session);
  session->Start();
}

void IoThread::PostKill(std::uint64_t id) {
  net::post(context_, [this, id] {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    if (const auto session = found->second.lock()) session->Close();
  });
}

void IoThread::Forget(std::uint64_t id) {
  sessions_.erase(id);
  core_->environment.clients.Remove(id);
  load_.fetch_sub(1, std::memory_order_relaxed);
  core_->gate.Leave();
}

std::vector<std::shared_ptr<RespSession>> IoThread::Sessions() {
  std::vector<std::shared_ptr<RespSession>> sessions;
  sessions.reserve(sessions_.size());
  for (const auto& [id, weak] : sessions_) {
    if (auto session = weak.lock()) sessions.push_back(std::move(session));
  }
  return sessions;
}

void IoThread::CheckStalled() {
  const SteadyTime now = core_->environment.clock->Now();
  for (const auto& session : Sessions()) session->CheckStalled(now);
}

void IoThread::WaitForTick() {
  tick_.expires_after(kTick);
  tick_.async_wait([this](NetError error) {
    if (error) return;
    CheckStalled();
    WaitForTick();
  });
}

Session& IoThread::BeginRead() {
  if (!is_turn_open_) {
    is_turn_open_ = true;
    // Runs behind every handler of this poll: they all share one snapshot.
    net::post(context_, [this] {
      is_turn_open_ = false;
      session_->EndTurn();
    });
  }
  return *session_;
}

void IoThread::CountCommands(std::uint64_t commands, std::uint64_t errors) {
  ThreadCounters::Add(counters_.commands, commands);
  if (errors != 0) ThreadCounters::Add(counters_.command_errors, errors);
}

}  // namespace switchback
