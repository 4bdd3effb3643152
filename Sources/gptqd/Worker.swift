import ArgumentParser
import Dispatch
import Foundation
import Service

struct Worker: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Works on one attempt at a job, on a node of a cluster.",
    discussion: "Slurm starts it in the daemon's name. It never opens the database: the daemon reads the journal in the attempt's folder. "
      + "Exit code 3: the attempt was started before, or is wanted no more.")

  @Option(help: ArgumentHelp("The attempt's folder.", valueName: "folder")) var attempt: String

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let worker = try AttemptWorker(URL(filePath: attempt))
    var sources: [any DispatchSourceSignal] = []
    let exit = try worker.run { stop in
      sources = [SIGTERM, SIGINT, SIGXCPU].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { stop("the worker got \(Self.name(of: number)): a time limit, a preemption or a cancel outside of gptqd") }
        source.activate()
        return source
      }
    }
    if exit == .notMine { print("this attempt was started before, or is wanted no more: \(attempt)") }
    withExtendedLifetime(sources) {}
    fflush(nil)
    _exit(exit.rawValue)
  }

  private static func name(of signal: Int32) -> String {
    switch signal {
    case SIGTERM: "SIGTERM"
    case SIGINT: "SIGINT"
    default: "SIGXCPU"
    }
  }
}
