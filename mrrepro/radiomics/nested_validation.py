"""Nested cross-validation of a classifier: what is chosen on the data never sees the data it is judged on.

Scaling, the selection of features, the kind of classifier and its settings are all chosen inside the training part of
an outer split, by an inner search with folds of its own; the outer test part is scored once. Selecting features on all
cases first, outside the folds, makes pure noise look predictive. Needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import loguniform

from mrrepro.metrics.receiver_operating import MeanInterval, RocBand, area_under_curve, corrected_interval, roc_band
from mrrepro.validation import require_finite, require_range

Features = Float[np.ndarray, "patients features"]
Labels = Bool[np.ndarray, " patients"]


@dataclass(frozen=True)
class Classifier:
    """A kind of classifier and the settings among which the inner search chooses.

    Parameters
    ----------
    name : str
        How results call it.
    build : callable
        Takes a seed and returns a scikit-learn classifier with probabilities or a decision function.
    settings : mapping of str to distribution or sequence
        Candidate values of its settings, by their scikit-learn names.
    """

    name: str
    build: Callable[[int], Any]
    settings: Mapping[str, Any]


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000, random_state=seed)


def _support_vector_machine(seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf", random_state=seed)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=100, random_state=seed)


LOGISTIC = Classifier("logistic regression", _logistic, {"C": loguniform(1e-3, 1e2)})
SUPPORT_VECTOR_MACHINE = Classifier(
    "support vector machine", _support_vector_machine, {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-4, 1e-1)}
)
FOREST = Classifier("random forest", _forest, {"max_depth": [2, 4, 8, None], "min_samples_leaf": [1, 3, 10]})


@dataclass(frozen=True)
class NestedValidation:
    """How splits, search and classifiers are set up.

    Parameters
    ----------
    classifiers : tuple of Classifier
        Kinds among which the inner search chooses.
    outer_splits : int
        Random stratified splits into training and test part; at least 2.
    test_fraction : float
        Share of the patients in the test part, in (0, 1).
    inner_folds : int
        Stratified folds of the search within a training part; at least 2.
    candidates : int
        Settings that the search draws.
    selected_features : tuple of int
        Candidate numbers of features kept, those with the largest variance between the classes over that within them.
    """

    classifiers: tuple[Classifier, ...] = (LOGISTIC, SUPPORT_VECTOR_MACHINE, FOREST)
    outer_splits: int = 100
    test_fraction: float = 0.2
    inner_folds: int = 5
    candidates: int = 12
    selected_features: tuple[int, ...] = (5, 10, 20, 50)

    def __post_init__(self) -> None:
        if not self.classifiers:
            raise ValueError("classifiers must hold at least one classifier, but is empty.")
        for name, least in (("outer_splits", 2), ("inner_folds", 2), ("candidates", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, but is {getattr(self, name)!r}.")
        require_range("test_fraction", self.test_fraction, 0.0, 1.0, low_open=True)
        if not self.selected_features or min(self.selected_features) < 1:
            raise ValueError(f"selected_features must hold positive numbers, but is {self.selected_features!r}.")

    def run(self, features: Features, labels: Labels, patients: Sequence[str], seed: int) -> ValidationResult:
        """Split, search and score.

        Parameters
        ----------
        features : ndarray
            One row a patient; finite.
        labels : ndarray
            True for the positive class.
        patients : sequence of str
            Whose rows they are. No patient may appear twice: two rows of one patient, for instance an image and its
            mirror image, would leak from the training to the test part.
        seed : int
            Seed of splits, searches and classifiers.

        Raises
        ------
        ValueError
            For shapes that do not fit, values that are not finite, a patient twice, or fewer patients of a class
            than the splits need.
        """
        from sklearn.model_selection import StratifiedShuffleSplit

        self._require(features, labels, patients)
        splitter = StratifiedShuffleSplit(self.outer_splits, test_size=self.test_fraction, random_state=seed)
        splits, chosen, train_size = [], [], 0
        for number, (train, test) in enumerate(splitter.split(features, labels)):
            estimators = {id(estimator): (kind, estimator) for kind, estimator in self._estimators(seed + number)}
            search = self._search(list(estimators.values()), features.shape[1], seed + number)
            search.fit(features[train], labels[train])
            splits.append((labels[test], _scores(search.best_estimator_, features[test])))
            chosen.append(estimators[id(search.best_params_["classify"])][0].name)
            train_size = len(train)
        return ValidationResult(tuple(splits), tuple(chosen), train_size)

    def _estimators(self, seed: int) -> list[tuple[Classifier, Any]]:
        return [(classifier, classifier.build(seed)) for classifier in self.classifiers]

    def _search(self, estimators: list[tuple[Classifier, Any]], columns: int, seed: int) -> Any:
        """Build the inner search over pipelines: drop constant features, scale, select, classify."""
        from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
        from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        pipeline = Pipeline(
            [
                ("vary", VarianceThreshold()),
                ("scale", StandardScaler()),
                ("select", SelectKBest(f_classif)),
                ("classify", estimators[0][1]),
            ]
        )
        kept = sorted({min(number, columns) for number in self.selected_features})
        spaces = [
            {"classify": [estimator], "select__k": kept}
            | {f"classify__{name}": values for name, values in classifier.settings.items()}
            for classifier, estimator in estimators
        ]
        folds = StratifiedKFold(self.inner_folds, shuffle=True, random_state=seed)
        return RandomizedSearchCV(
            pipeline,
            spaces,
            n_iter=self.candidates,
            scoring="roc_auc",
            cv=folds,
            random_state=seed,
            error_score="raise",
        )

    def _require(self, features: Features, labels: Labels, patients: Sequence[str]) -> None:
        if features.ndim != 2 or labels.shape != features.shape[:1] or len(patients) != len(labels):
            raise ValueError(
                "features, labels and patients must have one row a patient, but have shapes "
                f"{features.shape}, {labels.shape} and ({len(patients)},)."
            )
        if labels.dtype != bool:
            raise ValueError(f"labels must be boolean, but is {labels.dtype}: compare with the positive label first.")
        require_finite("features", features)
        repeated = sorted({patient for patient in patients if list(patients).count(patient) > 1})
        if repeated:
            raise ValueError(
                f"patients must appear once each, but {repeated[:5]} appear more often: keep one row each."
            )
        rarest = min(int(labels.sum()), int((~labels).sum()))
        needed = int(np.ceil(self.inner_folds / (1.0 - self.test_fraction))) + 1
        if rarest < needed:
            raise ValueError(f"labels must hold at least {needed} patients of each class, but hold {rarest} of one.")


@dataclass(frozen=True)
class ValidationResult:
    """Scores of the outer test parts.

    Parameters
    ----------
    splits : tuple of (labels, scores)
        True labels and scores of each test part.
    classifiers : tuple of str
        Which kind the inner search chose in each split.
    train_size : int
        Patients in a training part.
    """

    splits: tuple[tuple[Labels, Float[np.ndarray, " test_patients"]], ...]
    classifiers: tuple[str, ...]
    train_size: int

    @cached_property
    def areas(self) -> tuple[float, ...]:
        """Area under the curve of each test part."""
        return tuple(area_under_curve(labels, scores) for labels, scores in self.splits)

    def interval(self, confidence: float = 0.95) -> MeanInterval:
        """Mean area with the interval that accounts for splits that share patients."""
        return corrected_interval(self.areas, self.train_size, len(self.splits[0][0]), confidence)

    def band(self, points: int = 101, confidence: float = 0.95) -> RocBand:
        """Mean curve with its band (Fig. 9)."""
        return roc_band(self.splits, self.train_size, points, confidence)


def _scores(estimator: Any, features: Features) -> Float[np.ndarray, " patients"]:
    """Return a score that rises with the probability of the positive class."""
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(features), dtype=float)
    return np.asarray(estimator.predict_proba(features)[:, 1], dtype=float)
