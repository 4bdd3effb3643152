import JobModel

/// A job's or a download's progress in one line.
package enum ProgressBar {
  /// - Parameters:
  ///   - fraction: 0 to 1; what is outside is taken as the nearest of the two.
  ///   - label: After the bar; cut where the line ends.
  ///   - width: Columns of the whole line.
  package static func line(fraction: Double, label: String, width: Int) -> String {
    let percent = String(percent(fraction))
    let fraction = clamped(fraction)
    let cells = max(4, min(30, width - 50))
    let eighths = Int((fraction * Double(cells * 8)).rounded(.down))
    let partial = eighths % 8 == 0 ? "" : ["▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8 - 1]
    let full = String(repeating: "█", count: eighths / 8) + partial
    let bar = full + String(repeating: "░", count: cells - full.count)
    let text = "▕\(bar)▏ \(String(repeating: " ", count: 3 - percent.count))\(percent)%  \(label)"
    return String(text.prefix(max(0, width - 1)))
  }

  /// Whole per cent of a fraction, 0 to 100.
  package static func percent(_ fraction: Double) -> Int { Int((clamped(fraction) * 100).rounded(.down)) }

  private static func clamped(_ fraction: Double) -> Double { fraction.isNaN ? 0 : min(1, max(0, fraction)) }

  /// What is done of what: layers, or bytes of a download.
  package static func amount(_ progress: Job.Progress) -> String {
    guard let done = progress.bytesDone, let total = progress.bytesTotal else { return "\(progress.done) of \(progress.total) layers" }
    return "\(Formatting.bytes(done)) of \(Formatting.bytes(total))"
  }

  package static func line(_ job: Job, width: Int) -> String {
    guard let progress = job.progress else { return line(fraction: 0, label: job.stage?.rawValue ?? job.status.rawValue, width: width) }
    var label = "\(job.stage?.rawValue ?? job.status.rawValue)  "
    label += progress.bytesTotal == nil ? "\(progress.done)/\(progress.total) layers" : amount(progress)
    if let eta = progress.etaSeconds, !job.status.isEnded { label += "  about \(Formatting.duration(eta)) left" }
    return line(fraction: progress.fraction, label: label, width: width)
  }
}
