// The commands of the program, one file each. Each function adds its command to `app`; running it
// sets `exit_code`, which outlives the parse.
#pragma once

namespace CLI {
class App;
}

namespace switchback {

void AddServeCommand(CLI::App& app, int& exit_code);
void AddFlagsCommand(CLI::App& app, int& exit_code);
void AddStatusCommand(CLI::App& app, int& exit_code);
void AddTopCommand(CLI::App& app, int& exit_code);
void AddEventsCommand(CLI::App& app, int& exit_code);
void AddMigrateCommand(CLI::App& app, int& exit_code);
void AddRolloutCommand(CLI::App& app, int& exit_code);
void AddVerifyCommand(CLI::App& app, int& exit_code);
void AddSchemaCommand(CLI::App& app, int& exit_code);
void AddSqlCommand(CLI::App& app, int& exit_code);
void AddExportCommand(CLI::App& app, int& exit_code);
void AddImportCommand(CLI::App& app, int& exit_code);
void AddBackupCommand(CLI::App& app, int& exit_code);
void AddRestoreCommand(CLI::App& app, int& exit_code);
void AddRollbackCommand(CLI::App& app, int& exit_code);
// `rollback to-backup`: the restore by another name.
void AddRollbackToBackup(CLI::App& rollback, int& exit_code);
void AddNotifyCommand(CLI::App& app, int& exit_code);
void AddHistoryCommand(CLI::App& app, int& exit_code);
void AddBenchCommand(CLI::App& app, int& exit_code);
void AddDrainCommand(CLI::App& app, int& exit_code);
void AddDetachCommand(CLI::App& app, int& exit_code);
void AddDoctorCommand(CLI::App& app, int& exit_code);
// These two describe every command of `app`, which is the program and outlives the parse.
void AddCompletionCommand(CLI::App& app, int& exit_code);
void AddManCommand(CLI::App& app, int& exit_code);

}  // namespace switchback
