import ArgumentParser
import Foundation
import Logging
import Service

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs the daemon until SIGTERM or Ctrl-C.")

  @OptionGroup var file: ConfigurationFile

  func run() async throws {
    signal(SIGPIPE, SIG_IGN)
    let configuration = try await ServiceConfiguration(file: file.path)
    let (format, level) = (configuration.logFormat, configuration.logLevel)
    LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, level: level) }
    let limits = EngineLimits(configuration)
    let work = EngineWork(limits, maxShardBytes: configuration.maxShardBytes)
    let planner = EnginePlanner(memory: configuration.plannedMemory(of:), dataFolder: configuration.dataFolder)
    let daemon = try Daemon(configuration, planner: planner, work: work.run, logger: Logger(label: "gptqd"))
    try await daemon.run()
    fflush(nil)
    // Jobs that outlive the grace period still multiply; exit would free OpenBLAS's buffers beneath them.
    _exit(EXIT_SUCCESS)
  }
}
