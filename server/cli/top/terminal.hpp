// A terminal as a screen: the alternate screen of the terminal, keys as they are pressed. Whatever
// ends the program leaves the terminal as it was: a normal return, an exception, a signal that asks
// for the end, a crash. (Nothing can help after SIGKILL: `reset` does.)
#pragma once

#include <termios.h>

#include <chrono>
#include <memory>
#include <vector>

#include "common/file.hpp"
#include "common/result.hpp"
#include "server/cli/top/top_frame.hpp"

namespace switchback {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

enum class TerminalEvent : std::uint8_t {
  kNothing,  // time is up
  kKey,
  kResize,  // also after the program was stopped and goes on
  kWake,    // another thread called Wake
  kStop,    // a signal, or the terminal is gone
};

// One a process; one thread, but for Wake. Make it before any other thread: it blocks signals.
class Terminal {
 public:
  // Whether standard input and output are a terminal that can move its cursor (TERM is set and not
  // "dumb").
  static bool IsUsable();

  // Errors: kUnsupported (not usable), kIo.
  static Result<std::unique_ptr<Terminal>> Open();
  ~Terminal() { Close(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Gives the terminal back as it was; harmless more than once. Nothing but Wake and destruction
  // may follow.
  void Close();

  [[nodiscard]] TerminalSize Size() const;
  // Colours unless NO_COLOR is set. kIo when the terminal is gone.
  Status Draw(const std::vector<TopLine>& lines);

  struct Input {
    TerminalEvent event = TerminalEvent::kNothing;
    char key = 0;
  };
  // Blocks up to `wait_max`. Ctrl-Z stops the program with the terminal as it was.
  Input Wait(std::chrono::milliseconds wait_max);
  // Ends a Wait. Any thread.
  void Wake();

 private:
  Terminal(UniqueFd signals, UniqueFd wake, const termios& before);
  void Enter();
  void Leave();
  Input ReadSignal();
  Input ReadKey();

  const UniqueFd signals_;
  const UniqueFd wake_;
  const termios before_;
  const bool has_colours_;
  bool is_open_ = true;
};

}  // namespace switchback
