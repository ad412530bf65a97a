#include "common/sync.hpp"
#include "server/watchdog/liveness.hpp"
#include "service/transaction.hpp"

namespace switchback {

struct PipelineProbe::Progress {
  Mutex mutex;
  CondVar changed;
  bool is_waiting SB_GUARDED_BY(mutex) = false;
};

// Owns itself until Done: the pipeline may hang for longer than the one who asks is there.
class PipelineProbe::Probe : public WriteOp {
 public:
  explicit Probe(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}

  Status Run(Transaction& /*transaction*/) override { return {}; }
  void Done(const Status& /*outcome*/) override {
    const std::unique_ptr<Probe> self(this);
    const MutexLock lock(progress_->mutex);
    progress_->is_waiting = false;
    progress_->changed.NotifyAll();
  }
  [[nodiscard]] std::size_t QueuedBytes() const override { return sizeof *this; }

 private:
  const std::shared_ptr<Progress> progress_;
};

PipelineProbe::PipelineProbe(DbService& service)
    : service_(service), progress_(std::make_shared<Progress>()) {}

PipelineProbe::~PipelineProbe() = default;

bool PipelineProbe::Answers(std::chrono::milliseconds wait_max) {
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  bool is_new = false;
  {
    const MutexLock lock(progress_->mutex);
    is_new = !progress_->is_waiting;
    progress_->is_waiting = true;
  }
  if (is_new) service_.Submit(*std::make_unique<Probe>(progress_).release());
  const MutexLock lock(progress_->mutex);
  while (progress_->is_waiting) {
    if (!progress_->changed.WaitUntil(progress_->mutex, deadline)) return !progress_->is_waiting;
  }
  return true;
}

}  // namespace switchback
