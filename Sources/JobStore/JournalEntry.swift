import Foundation
import JobModel

/// What a running job tells of its work.
public enum JournalEntry: Codable, Sendable, Hashable {
  /// The job's layers become those that this start will handle. Attempts of earlier starts are kept.
  ///
  /// The first `finished` layers are as an earlier start left them.
  case begin(layers: [LayerRecord], finished: Int)
  case stage(Job.Stage)
  /// Makes no event.
  case progress(Job.Progress)
  /// What became of a layer.
  case layer(LayerRecord)
  /// The layer that ended the job; means nothing if the job has no such layer.
  case failed(layer: String)
  /// A try at a layer, for its history.
  case attempt(AttemptRecord)
  case warning(String)
  /// What worked for a layer after its first try had failed.
  case cure(KnownDamping, layer: String, context: DampingContext)
}

/// Takes down what a running job does, on the thread that does it: what it returns from is durable.
public protocol JobRecorder: Sendable {
  var job: JobID { get }
  /// Which start of the job this is.
  var attempt: Int { get }

  func record(_ entry: JournalEntry) throws

  /// What worked for a layer in the last job that had to go beyond the first try, if that ended before a moment: a job that is
  /// interrupted shall go on with what was known when it began.
  func knownDamping(of layer: String, in context: DampingContext, before moment: Date) throws -> KnownDamping?
}

extension JobRecorder {
  public func begin(layers: [LayerRecord], finished: Int = 0) throws { try record(.begin(layers: layers, finished: finished)) }
  public func stage(_ stage: Job.Stage) throws { try record(.stage(stage)) }
  public func progress(_ progress: Job.Progress) throws { try record(.progress(progress)) }
  public func layer(_ layer: LayerRecord) throws { try record(.layer(layer)) }
  public func failed(_ layer: String) throws { try record(.failed(layer: layer)) }
  public func attempt(_ attempt: AttemptRecord) throws { try record(.attempt(attempt)) }
  public func warning(_ message: String) throws { try record(.warning(message)) }
  public func remember(_ known: KnownDamping, for layer: String, in context: DampingContext) throws {
    try record(.cure(known, layer: layer, context: context))
  }
}
