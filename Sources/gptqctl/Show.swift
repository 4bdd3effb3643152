import ArgumentParser
import JobModel

struct Show: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows a job.")

  @Argument(help: "Id, beginning of it, or latest.", completion: .jobs()) var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let answer = try await client.send("GET", "/v1/jobs/\(client.resolve(job))")
    guard !server.json else { return Terminal.printJSON(answer.body) }
    print(JobSummary(try APICoding.decode(Job.self, from: answer.body)).text)
  }
}

/// A job in lines of "name  value".
package struct JobSummary {
  private let job: Job

  package init(_ job: Job) { self.job = job }

  package var text: String {
    let lines = (fields + remarks).compactMap { name, value in value.map { "\(name)\(String(repeating: " ", count: 13 - name.count))\($0)" }
    }
    return lines.joined(separator: "\n")
  }

  /// Bytes; the largest number where a server tells more.
  private static func size(_ manifest: ArtifactManifest) -> Int {
    manifest.files.reduce(0) { sum, file in
      let (sum, overflows) = sum.addingReportingOverflow(file.size)
      return overflows ? .max : sum
    }
  }

  private var fields: [(String, String?)] {
    let quantization = job.request.quantization
    let report = job.report
    return [
      ("job", job.id.text),
      ("status", job.status.rawValue + (job.degraded ? " (degraded)" : "")),
      ("stage", job.stage?.rawValue),
      (job.request.kind == .layers ? "layers" : "model", "\(job.request.model)"),
      ("commit", job.request.model.hub?.commit),
      (
        "method",
        "\(quantization.method.rawValue), \(quantization.bits) bits, group size \(quantization.groupSize), format \(quantization.format.rawValue)"
      ),
      ("calibration", job.request.calibration?.dataset),
      (
        "estimate",
        job.estimate.map { "\(Formatting.bytes($0.memoryBytes)) of memory, \(Formatting.bytes($0.diskBytes)) of disk" }
      ),
      ("slurm", job.slurm.map(Self.text)),
      ("created", job.createdAt.formatted(.iso8601)),
      ("started", job.startedAt?.formatted(.iso8601)),
      ("finished", job.finishedAt?.formatted(.iso8601)),
      ("progress", job.progress.map { "\(ProgressBar.amount($0)), \(ProgressBar.percent($0.fraction)) %" }),
      (
        "perplexity",
        report.flatMap { report in
          guard let before = report.perplexityBefore, let after = report.perplexityAfter else { return nil }
          return "\(Formatting.fixed(before, 4)) before, \(Formatting.fixed(after, 4)) after "
            + "(\(Formatting.fixed((after / before - 1) * 100, 2)) %)"
        }
      ),
      ("took", report.map { Formatting.duration($0.seconds) }),
      (
        "artifact",
        job.result.map { "\($0.files.count) files, \(Formatting.bytes(Self.size($0))), revision \($0.revision)" }
      ),
      ("damaged", job.damagedFiles.isEmpty ? nil : job.damagedFiles.joined(separator: ", ") + "; submit the job again"),
      ("interrupted", interruptions),
      ("error", job.error.map { error in [error.layer.map { "in \($0): " } ?? "", error.detail].joined() }),
      ("cause", job.error?.cause?.rawValue),
      ("tried", job.error?.tried),
      ("advice", job.error?.advice),
    ]
  }

  private static func text(_ placement: SlurmPlacement) -> String {
    let reason = placement.reason.map { " (\($0))" } ?? ""
    let parts = [
      placement.id.map { "job \($0)" }, placement.state.map { $0 + reason }, placement.nodes.map { "on \($0)" }, placement.unreachable,
    ]
    return parts.compactMap(\.self).joined(separator: ", ")
  }

  private var interruptions: String? {
    guard let last = job.interruptions.last else { return nil }
    let count = job.interruptions.count
    return (count == 1 ? "once" : "\(count) times")
      + (last.reason.map { ", last since an attempt was lost: \($0)" } ?? " by an end of the daemon")
  }

  private var remarks: [(String, String?)] {
    let degraded = (job.report?.degradedLayers ?? []).map { "\($0.layer): \($0.method.rawValue), since \($0.cause.rawValue)" }
    return degraded.map { ("degraded", $0) } + job.warnings.map { ("warning", $0) }
  }
}
