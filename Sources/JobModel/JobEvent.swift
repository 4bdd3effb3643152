import Foundation
import StrictJSON

/// Something that happened to a job; the sequence number is durable and grows by time over all jobs.
public struct JobEvent: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// The job's status changed: `data.status`.
    case status
    /// A running job went on to another stage: `data.stage`.
    case stage
    /// A file of a Hub's model was downloaded and is what the Hub promised: `data.file`, `data.bytes`.
    case download
    /// A layer was finished or failed: the `LayerRecord`.
    case layer
    /// A try at a layer ended: the `AttemptRecord`.
    case attempt
    case warning
    /// A daemon found that the one before had ended while the job ran: the `Job.Interruption`.
    case interruption
    /// Files of the artifact were found damaged: `data.files`.
    case damage
  }

  public let sequence: Int
  public let job: JobID
  public let kind: Kind
  public let at: Date
  /// A JSON object; its members depend on `kind`.
  public let data: JSONValue

  public init(sequence: Int, job: JobID, kind: Kind, at: Date, data: JSONValue) {
    self.sequence = sequence
    self.job = job
    self.kind = kind
    self.at = at
    self.data = data
  }
}
