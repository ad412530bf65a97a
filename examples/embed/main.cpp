// DbService inside an application, without a server: put, get, and a flip from LMDB to SQLite.
//
//   embed [DIRECTORY]    without one, a temporary directory is used and removed

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "service/db_service.hpp"

namespace {

using switchback::Collection;
using switchback::DbService;

// What whoever reads the flags does when they change: publish, then have it judged.
switchback::Status SetShare(DbService& service, bool enabled) {
  switchback::FlagSettings settings;
  settings.enabled = enabled;
  settings.salt = std::string(switchback::kUnifiedFlagName);
  auto snapshot = std::make_shared<switchback::FlagSnapshot>();
  snapshot->revision = service.flags().Current()->revision + 1;
  snapshot->flags.emplace(std::string(switchback::kUnifiedFlagName),
                          switchback::FlagRule(settings));
  service.flags().Publish(std::move(snapshot));
  return service.JudgeFlags();
}

switchback::Status ShowRead(DbService& service, switchback::Session& session,
                            const Collection& users) {
  auto value = session.Get(users, "alice");
  if (!value) return switchback::Fail(value.error());
  const double share = service.GetStatus().routing.effective_percentage;
  std::cout << (share > 0 ? "unified" : "legacy")
            << " answers alice = " << (value->has_value() ? std::string(**value) : "(absent)")
            << "\n";
  // Gives the snapshot back: a forgotten one would make the stores' files grow.
  session.EndTurn();
  return {};
}

switchback::Status Run(const std::string& directory) {
  switchback::DbServiceOptions options;
  options.data_dir = directory;
  auto service = DbService::Open(std::move(options));
  if (!service) return switchback::Fail(service.error());
  auto users = (*service)->catalog().Intern("users");
  if (!users) return switchback::Fail(users.error());

  // Durable when it returns, in one log that both stores follow.
  SB_RETURN_IF_ERROR((*service)->Put(**users, "alice", "1"));
  auto session = (*service)->NewSession();
  SB_RETURN_IF_ERROR(ShowRead(**service, *session, **users));

  SB_RETURN_IF_ERROR(SetShare(**service, true));
  SB_RETURN_IF_ERROR(ShowRead(**service, *session, **users));

  SB_RETURN_IF_ERROR((*service)->Put(**users, "alice", "2"));
  SB_RETURN_IF_ERROR(SetShare(**service, false));  // the rollback: nothing is lost
  SB_RETURN_IF_ERROR(ShowRead(**service, *session, **users));
  session.reset();
  return (*service)->Close();
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = argc > 1 ? argv[1] : "";
  const bool is_temporary = directory.empty();
  if (is_temporary) {
    directory = (std::filesystem::temp_directory_path() / "switchback-embed-XXXXXX").string();
    if (::mkdtemp(directory.data()) == nullptr) return EXIT_FAILURE;
  }
  const switchback::Status done = Run(directory);
  if (is_temporary) std::filesystem::remove_all(directory);
  if (done) return EXIT_SUCCESS;
  std::cerr << "embed: " << done.error().message << "\n";
  return EXIT_FAILURE;
}
