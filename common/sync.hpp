// Locks that clang's -Wthread-safety understands: say SB_GUARDED_BY(mutex_) on a member,
// SB_REQUIRES(mutex_) on a function.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define SB_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define SB_THREAD_ATTRIBUTE(x)
#endif
#define SB_CAPABILITY(x) SB_THREAD_ATTRIBUTE(capability(x))
#define SB_SCOPED_CAPABILITY SB_THREAD_ATTRIBUTE(scoped_lockable)
#define SB_GUARDED_BY(x) SB_THREAD_ATTRIBUTE(guarded_by(x))
#define SB_REQUIRES(...) SB_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define SB_REQUIRES_SHARED(...) SB_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define SB_EXCLUDES(...) SB_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define SB_ACQUIRE(...) SB_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define SB_ACQUIRE_SHARED(...) SB_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define SB_RELEASE(...) SB_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define SB_RELEASE_SHARED(...) SB_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define SB_RELEASE_GENERIC(...) SB_THREAD_ATTRIBUTE(release_generic_capability(__VA_ARGS__))
#define SB_NO_THREAD_SAFETY_ANALYSIS SB_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace switchback {

class SB_CAPABILITY("mutex") Mutex {
 public:
  void Lock() SB_ACQUIRE() { mutex_.lock(); }
  void Unlock() SB_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SB_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SB_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() SB_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may wake up for no reason: always wait in a loop on the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) SB_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false when `deadline` passed first.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline) SB_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// Many readers or one writer. A waiting writer goes before new readers, so that readers in a tight
// loop cannot starve it (std::shared_mutex lets them, glibc's default). A thread must not take the
// shared side twice.
class SB_CAPABILITY("shared_mutex") SharedMutex {
 public:
  SharedMutex() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~SharedMutex() { pthread_rwlock_destroy(&lock_); }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() SB_ACQUIRE() { pthread_rwlock_wrlock(&lock_); }
  void Unlock() SB_RELEASE() { pthread_rwlock_unlock(&lock_); }
  void LockShared() SB_ACQUIRE_SHARED() { pthread_rwlock_rdlock(&lock_); }
  void UnlockShared() SB_RELEASE_SHARED() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

class SB_SCOPED_CAPABILITY ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex& mutex) SB_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~ExclusiveLock() SB_RELEASE() { mutex_.Unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class SB_SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) SB_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.LockShared();
  }
  ~SharedLock() SB_RELEASE_GENERIC() { mutex_.UnlockShared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace switchback
