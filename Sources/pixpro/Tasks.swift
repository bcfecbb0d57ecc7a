import DenseTasks
import Inpainting
import Learning
import PixelLearning

/// What the program trains, by the key `task`; the first where a configuration names none.
let tasks: [any TaskDefinition.Type] = [
    PretrainingSettings.self, SegmentationSettings.self, DetectionSettings.self, InpaintingSettings.self,
]

/// Of what references the program verifies.
var verifiedTasks: [any ReferenceSubject.Type] {
    [PixelReference.self, SegmentationReference.self, DetectionReference.self, InpaintingReference.self]
}
