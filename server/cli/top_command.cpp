#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/top/terminal.hpp"
#include "server/cli/top/top_feed.hpp"
#include "server/cli/top/top_frame.hpp"
#include "server/cli/top/top_sample.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

constexpr std::size_t kPlainColumns = 120;
constexpr std::chrono::milliseconds kLookInterval{500};

constexpr const char* kFooter =
    "Shows each second what a server does: stage and share, both stores' state and lag, their\n"
    "operations side by side (rate, errors, latencies of late), the guard's streams, what is "
    "under\n"
    "way, clients, and the newest of the history.\n"
    "\n"
    "Keys: q quit, p pause, s sort operations (name, rate, p99), r operations of one role, ? "
    "help.\n"
    "A server that goes away is asked again until it is back.\n"
    "\n"
    "Without a terminal, or with --once, --batch or --json, frames are printed as plain text or\n"
    "JSON instead; a terminal that cannot move its cursor (TERM=dumb) gets them one after "
    "another.\n"
    "NO_COLOR=1 switches colours off.\n"
    "\n"
    "Examples:\n"
    "  switchback top --data-dir /var/lib/app\n"
    "  switchback top --batch 60 --interval 60 >> top.log";

struct TopOptions {
  ServerOptions server;
  double interval_seconds = 1;
  std::uint64_t frame_count = 0;  // 0 = until it is stopped
  bool is_once = false;
};

std::chrono::milliseconds IntervalOf(const TopOptions& options) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(options.interval_seconds * 1000));
}

std::string ServerName(const ServerOptions& options) {
  if (!options.url.empty()) return options.url;
  if (!options.data_dir.empty()) return options.data_dir;
  const char* url = std::getenv("SWITCHBACK_URL");
  return url != nullptr && *url != '\0' ? url : std::string(kDefaultUrl);
}

std::size_t PlainColumns() {
  const char* text = std::getenv("COLUMNS");
  const int columns = text == nullptr ? 0 : std::atoi(text);
  return columns >= 20 && columns <= 1000 ? static_cast<std::size_t>(columns) : kPlainColumns;
}

// Frames one after the other. A server that does not answer is waited for, unless only one frame is
// wanted.
int PrintFrames(const TopOptions& options, std::uint64_t frame_count) {
  StopSignal stop;
  TopSource source(options.server, SystemClock());
  for (std::uint64_t frame = 0; frame_count == 0 || frame < frame_count; ++frame) {
    if (frame > 0 && stop.WaitFor(IntervalOf(options))) return kExitDone;
    const auto sample = source.Take();
    if (!sample) {
      const int code = ReportError(sample.error(), options.server.is_json);
      if (frame_count == 1) return code;
    } else if (options.server.is_json) {
      PrintJson(TopJson(*sample));
    } else {
      TopView view;
      view.columns = PlainColumns();
      view.rows = 0;
      view.has_keys = false;
      view.server = ServerName(options.server);
      if (frame > 0) std::cout << "\n";
      for (const TopLine& line : TopFrame(&*sample, view)) std::cout << line.text << "\n";
      std::cout << std::flush;
    }
    if (!std::cout) return kExitFailed;
  }
  return kExitDone;
}

// The screen of one run.
class Screen {
 public:
  Screen(const TopOptions& options, Terminal& terminal)
      : terminal_(terminal),
        feed_(options.server, IntervalOf(options), [&terminal] { terminal.Wake(); }) {
    view_.server = ServerName(options.server);
  }

  // The exit code.
  int Run() {
    while (true) {
      if (!Draw()) return kExitFailed;
      const Terminal::Input input = terminal_.Wait(kLookInterval);
      if (input.event == TerminalEvent::kStop) return kExitDone;
      if (input.event == TerminalEvent::kKey && !Press(input.key)) return kExitDone;
    }
  }

 private:
  Status Draw() {
    const TerminalSize size = terminal_.Size();
    view_.columns = size.columns;
    view_.rows = size.rows;
    const TopFeed::News news = view_.is_paused && shown_ ? *shown_ : feed_.Newest();
    shown_ = news;
    view_.trouble = news.trouble;
    return terminal_.Draw(TopFrame(news.sample.get(), view_));
  }

  // False for the key that ends it.
  bool Press(char key) {
    switch (key) {
      case 'q': return false;
      case 'p':
      case ' ':
        view_.is_paused = !view_.is_paused;
        feed_.SetPaused(view_.is_paused);
        break;
      case 's':
        view_.sort = view_.sort == TopSort::kName   ? TopSort::kRate
                     : view_.sort == TopSort::kRate ? TopSort::kP99
                                                    : TopSort::kName;
        break;
      case 'r':
        view_.focus = !view_.focus                    ? std::optional(Role::kLegacy)
                      : *view_.focus == Role::kLegacy ? std::optional(Role::kUnified)
                                                      : std::nullopt;
        break;
      case '?':
      case 'h': view_.is_help = !view_.is_help; break;
      default: break;
    }
    return true;
  }

  Terminal& terminal_;
  TopView view_;
  std::optional<TopFeed::News> shown_;
  TopFeed feed_;  // last: its thread ends first
};

int RunTop(const TopOptions& options) {
  if (options.is_once) return PrintFrames(options, 1);
  if (options.frame_count > 0) return PrintFrames(options, options.frame_count);
  if (options.server.is_json || !Terminal::IsUsable())
    return PrintFrames(options, IsTerminal() ? 0 : 1);
  auto terminal = Terminal::Open();
  if (!terminal) return ReportError(terminal.error(), false);
  std::optional<Screen> screen;
  screen.emplace(options, **terminal);
  const int code = screen->Run();
  // Before the feed ends, which may wait for an answer that is under way.
  (*terminal)->Close();
  return code;
}

}  // namespace

void AddTopCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("top", "Watch what a server does, on one screen");
  auto options = std::make_shared<TopOptions>();
  options->server.AddTo(*command);
  command->add_option("--interval", options->interval_seconds, "Seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  auto* once = command->add_flag("--once", options->is_once, "Print one frame and end");
  command->add_option("--batch", options->frame_count, "Print so many frames and end")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->excludes(once);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = RunTop(*options); });
}

}  // namespace switchback
