/// Passes everything on to an observer, and remembers what the owner was told, for the state of the block that is made meanwhile.
final class WarningRecorder<Observer: QuantizationObserver>: QuantizationObserver {
  private let observer: Observer
  private var warnings: [String] = []

  init(_ observer: Observer) { self.observer = observer }

  /// What was told since the last call.
  func takeWarnings() -> [String] {
    defer { warnings = [] }
    return warnings
  }

  func warn(_ message: String) throws {
    try observer.warn(message)
    warnings.append(message)
  }

  func began(_ layer: LayerIdentity) throws { try observer.began(layer) }
  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) throws { try observer.tried(attempt, for: layer, loss: loss) }
  func finished(_ outcome: LayerOutcome) throws { try observer.finished(outcome) }
  func knownCure(for layer: LayerIdentity) throws -> KnownCure? { try observer.knownCure(for: layer) }
  func beganCountedWork() throws { try observer.beganCountedWork() }
  func did(_ flops: Double) throws { try observer.did(flops) }
  func needsMore(_ flops: Double) throws { try observer.needsMore(flops) }
  func checkCancellation() throws { try observer.checkCancellation() }
}
