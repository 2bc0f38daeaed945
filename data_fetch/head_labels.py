"""The labels of the whole-head maps of SynthSeg.

The brain follows FreeSurfer's table, the head the names that the atlas of SimNIBS charm gives to the same numbers.
Four labels are in neither with a meaning that fits. They are named here from where they lie, which is a reading and
no statement of the data's authors: 136 and 163 border for one half on the left and right lateral ventricle, 137 and
164 on white matter, hippocampus and inferior horn; that is where the choroid plexus lies. Label 0 is all that has no
tissue: the air around the head and, alike, its air cavities.

====== ============================== ====== ==============================
label  structure                      label  structure
====== ============================== ====== ==============================
0      background and air cavities    46     right cerebellar white matter
2      left cerebral white matter     47     right cerebellar cortex
3      left cerebral cortex           49     right thalamus
4      left lateral ventricle         50     right caudate
5      left inferior lateral vent.    51     right putamen
7      left cerebellar white matter   52     right pallidum
8      left cerebellar cortex         53     right hippocampus
10     left thalamus                  54     right amygdala
11     left caudate                   57     right white matter lesion
12     left putamen                   58     right accumbens
13     left pallidum                  60     right ventral diencephalon
14     third ventricle                62     right vessel
15     fourth ventricle               72     fifth ventricle
16     brain stem                     85     optic chiasm
17     left hippocampus               136    left choroid plexus
18     left amygdala                  137    left choroid plexus, inf. horn
24     cerebrospinal fluid            163    right choroid plexus
25     left white matter lesion       164    right choroid plexus, inf. horn
26     left accumbens                 502    artery
28     left ventral diencephalon      506    eyes
30     left vessel                    507    other soft tissue
41     right cerebral white matter    508    rectus muscles
42     right cerebral cortex          509    mucosa
43     right lateral ventricle        511    skin
44     right inferior lateral vent.   512    spinal cord
..                                    514    vein
..                                    515    cortical bone
..                                    516    cancellous bone
..                                    530    optic nerve
====== ============================== ====== ==============================
"""

from __future__ import annotations

from types import MappingProxyType

CONVENTION = "FreeSurfer brain, SimNIBS charm head"

HEAD_LABELS = MappingProxyType(
    {
        0: "background and air cavities",
        2: "left cerebral white matter",
        3: "left cerebral cortex",
        4: "left lateral ventricle",
        5: "left inferior lateral ventricle",
        7: "left cerebellar white matter",
        8: "left cerebellar cortex",
        10: "left thalamus",
        11: "left caudate",
        12: "left putamen",
        13: "left pallidum",
        14: "third ventricle",
        15: "fourth ventricle",
        16: "brain stem",
        17: "left hippocampus",
        18: "left amygdala",
        24: "cerebrospinal fluid",
        25: "left white matter lesion",
        26: "left accumbens",
        28: "left ventral diencephalon",
        30: "left vessel",
        41: "right cerebral white matter",
        42: "right cerebral cortex",
        43: "right lateral ventricle",
        44: "right inferior lateral ventricle",
        46: "right cerebellar white matter",
        47: "right cerebellar cortex",
        49: "right thalamus",
        50: "right caudate",
        51: "right putamen",
        52: "right pallidum",
        53: "right hippocampus",
        54: "right amygdala",
        57: "right white matter lesion",
        58: "right accumbens",
        60: "right ventral diencephalon",
        62: "right vessel",
        72: "fifth ventricle",
        85: "optic chiasm",
        136: "left choroid plexus",
        137: "left choroid plexus of the inferior horn",
        163: "right choroid plexus",
        164: "right choroid plexus of the inferior horn",
        502: "artery",
        506: "eyes",
        507: "other soft tissue",
        508: "rectus muscles",
        509: "mucosa",
        511: "skin",
        512: "spinal cord",
        514: "vein",
        515: "cortical bone",
        516: "cancellous bone",
        530: "optic nerve",
    }
)
