import Checkpoint
import Foundation
import JobModel

/// What Slurm runs for an attempt.
package struct BatchScript: Sendable {
  package let text: String
  private let file: URL

  package init(_ specification: AttemptSpecification, folder: AttemptFolder, settings: SlurmSettings) {
    file = folder.script
    let worker = [settings.worker?.path ?? Self.program, "worker", "--attempt", folder.url.path].map(Self.quoted).joined(separator: " ")
    // Replaces the shell, so that Slurm's signals reach the worker, and none is left without its shell.
    text =
      specification.nodes > 1
      ? """
      #!/bin/sh
      # Several nodes: one rank on each; all end when one is killed.
      exec srun -K1 --mpi=pmix --export=ALL \(worker)

      """
      : """
      #!/bin/sh
      exec \(worker)

      """
  }

  func write() throws(CheckpointError) { try DurableFile.write(Data(text.utf8), to: file) }

  /// sbatch's own.
  package static func arguments(of request: JobRequest, name: String, folder: AttemptFolder, settings: SlurmSettings) -> [String] {
    let asked = (request.slurm ?? SlurmRequest()).completed(by: settings.defaults)
    let nodes = request.nodes ?? 1
    var arguments = [
      "--job-name=\(name)", "--no-requeue", "--output=\(folder.log.path)", "--open-mode=append", "--chdir=\(folder.url.path)",
      "--export=ALL", "--nodes=\(nodes)", "--ntasks=\(nodes)", "--ntasks-per-node=1",
    ]
    if let partition = asked.partition { arguments.append("--partition=\(partition)") }
    if let cpus = asked.cpus { arguments.append("--cpus-per-task=\(cpus)") }
    // Slurm counts memory in MiB.
    if let memory = asked.memory { arguments.append("--mem=\((memory.bytes + (1 << 20) - 1) >> 20)M") }
    if let time = asked.time { arguments.append("--time=\(time)") }
    if let constraint = asked.constraint { arguments.append("--constraint=\(constraint)") }
    return arguments + settings.options
  }

  /// This one's file.
  static let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "gptqd"

  private static func quoted(_ word: String) -> String { "'" + word.replacing("'", with: "'\\''") + "'" }
}
