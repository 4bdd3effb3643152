import Foundation
import JobModel
import StrictJSON

/// What a person, or with `--json` a program, sees of a job that is followed.
package struct WatchDisplay {
  private let json: Bool
  private let show: (String) -> Void
  private let isInteractive: Bool

  /// - Parameter show: Where text goes.
  package init(json: Bool, isInteractive: Bool = Terminal.isInteractive, show: @escaping (String) -> Void = Terminal.show) {
    (self.json, self.isInteractive, self.show) = (json, isInteractive, show)
  }

  package func event(_ event: JobEvent) {
    if !json, let line = Self.line(event) { show((isInteractive ? Terminal.clearLine : "") + line + "\n") }
  }

  /// - Parameter document: The job as the server wrote it.
  package func job(_ job: Job, _ document: Data) {
    if json {
      show(String(decoding: document, as: UTF8.self) + "\n")
    } else if isInteractive {
      show(Terminal.clearLine + ProgressBar.line(job, width: Terminal.width))
    }
  }

  /// - Throws: `ClientError.jobEnded` unless the job succeeded.
  package func end(_ job: Job) throws {
    if !json {
      if isInteractive { show("\n") }
      show(JobSummary(job).text + "\n")
    }
    if job.status != .succeeded { throw ClientError.jobEnded(job.status) }
  }

  private static func line(_ event: JobEvent) -> String? {
    switch event.kind {
    case .layer:
      guard let data = try? APICoding.encode(event.data), let layer = try? APICoding.decode(LayerRecord.self, from: data) else {
        return nil
      }
      let method = layer.degraded ? "degraded to \(layer.method?.rawValue ?? "–") since \(layer.cause?.rawValue ?? "–")  " : ""
      return "\(layer.name)  \(Formatting.shape(layer.shape))  \(method)damping \(Formatting.significant(layer.damping))  "
        + "relative loss \(Formatting.significant(layer.relativeLoss))  \(layer.seconds.map { Formatting.fixed($0, 2) } ?? "–") s"
    case .warning: return "warning: \(event.data["message"]?.stringValue ?? "")"
    case .download:
      return "\(event.data["file"]?.stringValue ?? "")  \(event.data["bytes"]?.intValue.map { Formatting.bytes($0) } ?? "")"
    case .stage: return event.data["stage"]?.stringValue
    case .interruption:
      return
        "the daemon had ended; the job goes on from its last finished block, \(event.data["layers_done"]?.intValue ?? 0) layers are done"
    case .damage: return "damaged: \(event.data["files"]?.arrayValue?.compactMap(\.stringValue).joined(separator: ", ") ?? "")"
    case .status, .attempt: return nil
    }
  }
}
