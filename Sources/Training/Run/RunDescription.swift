package import DataParallel
import Learning
package import TensorCore

/// What a run is about to do, for its log.
package struct RunDescription: Sendable {
    /// Of the task: "pixpro (official), resnet50 at 224 px".
    package var task: String
    /// Trained parameters, and images of an epoch.
    package var parameters, images: Int
    package var elementType: ElementType
    package var batch: BatchPlan
    package var peakLearningRate: Double
    /// What it is trained on.
    package var machine: MachineSummary
    /// How gradients are summed.
    package var communication: String
    package var cores: CorePlan
    /// What the settings alone let expect.
    package var forecasts: [String]

    package init(
        task: String, parameters: Int, images: Int, elementType: ElementType, batch: BatchPlan,
        peakLearningRate: Double, communication: String, machine: MachineSummary, cores: CorePlan,
        forecasts: [String] = []
    ) {
        (self.task, self.parameters, self.images) = (task, parameters, images)
        (self.elementType, self.batch, self.peakLearningRate) = (elementType, batch, peakLearningRate)
        (self.communication, self.machine, self.cores) = (communication, machine, cores)
        self.forecasts = forecasts
    }

    var lines: [String] {
        [
            "\(task), \(parameters) trained parameters, \(images) images, \(elementType.rawValue)",
            "\(batch.summary), peak learning rate \(significant(peakLearningRate)), gradients \(communication)",
            machine.text,
            cores.summary,
        ]
    }
}
