"""What to cite for each data set, as BibTeX."""

from __future__ import annotations

SYNTHSEG = """@article{billot2023synthseg,
  author = {Billot, Benjamin and Greve, Douglas N. and Puonti, Oula and Thielscher, Axel and Van Leemput, Koen
            and Fischl, Bruce and Dalca, Adrian V. and Iglesias, Juan Eugenio},
  title = {{SynthSeg}: Segmentation of brain {MRI} scans of any contrast and resolution without retraining},
  journal = {Medical Image Analysis},
  volume = {86}, pages = {102789}, year = {2023},
  doi = {10.1016/j.media.2023.102789}
}"""

EPTLIB = """@article{arduino2021eptlib,
  author = {Arduino, Alessandro},
  title = {{EPTlib}: An Open-Source Extensible Collection of Electric Properties Tomography Techniques},
  journal = {Applied Sciences},
  volume = {11}, number = {7}, pages = {3237}, year = {2021},
  doi = {10.3390/app11073237}
}"""

HCP_PIPELINES = """@article{glasser2013minimal,
  author = {Glasser, Matthew F. and Sotiropoulos, Stamatios N. and Wilson, J. Anthony and Coalson, Timothy S.
            and Fischl, Bruce and Andersson, Jesper L. and Xu, Junqian and Jbabdi, Saad and Webster, Matthew
            and Polimeni, Jonathan R. and Van Essen, David C. and Jenkinson, Mark},
  title = {The minimal preprocessing pipelines for the {Human Connectome Project}},
  journal = {NeuroImage},
  volume = {80}, pages = {105--124}, year = {2013},
  doi = {10.1016/j.neuroimage.2013.04.127}
}"""

MNI152 = """@inproceedings{grabner2006symmetric,
  author = {Grabner, G{\\"u}nther and Janke, Andrew L. and Budge, Marc M. and Smith, David and Pruessner, Jens
            and Collins, D. Louis},
  title = {Symmetric Atlasing and Model Based Segmentation: An Application to the Hippocampus in Older Adults},
  booktitle = {Medical Image Computing and Computer-Assisted Intervention (MICCAI 2006)},
  pages = {58--66}, year = {2006},
  doi = {10.1007/11866763_8}
}"""

OPEN_MS = """@article{lesjak2018novel,
  author = {Lesjak, {\\v Z}iga and Galimzianova, Alfiia and Koren, Ale{\\v s} and Lukin, Matej and Pernu{\\v s}, Franjo
            and Likar, Bo{\\v s}tjan and {\\v S}piclin, {\\v Z}iga},
  title = {A Novel Public {MR} Image Dataset of Multiple Sclerosis Patients With Lesion Segmentations Based on
           Multi-rater Consensus},
  journal = {Neuroinformatics},
  volume = {16}, pages = {51--63}, year = {2018},
  doi = {10.1007/s12021-017-9348-7}
}"""

TCGA_LGG = """@misc{pedano2016tcgalgg,
  author = {Pedano, N. and Flanders, A. E. and Scarpace, L. and Mikkelsen, T. and Eschbacher, J. M. and Hermes, B.
            and Sisneros, V. and Barnholtz-Sloan, J. and Ostrom, Q.},
  title = {Radiology Data from The Cancer Genome Atlas Low Grade Glioma [{TCGA-LGG}] collection},
  howpublished = {The Cancer Imaging Archive}, year = {2016},
  doi = {10.7937/K9/TCIA.2016.L4LTD3TK}
}"""

TCGA_GBM = """@misc{scarpace2016tcgagbm,
  author = {Scarpace, L. and Mikkelsen, T. and Cha, S. and Rao, S. and Tekchandani, S. and Gutman, D. and Saltz, J. H.
            and Erickson, B. J. and Pedano, N. and Flanders, A. E. and Barnholtz-Sloan, J. and Ostrom, Q.
            and Barboriak, D. and Pierce, L. J.},
  title = {Radiology Data from The Cancer Genome Atlas Glioblastoma Multiforme [{TCGA-GBM}] collection},
  howpublished = {The Cancer Imaging Archive}, year = {2016},
  doi = {10.7937/K9/TCIA.2016.RNYFUYE9}
}"""

TCIA = """@article{clark2013tcia,
  author = {Clark, Kenneth and Vendt, Bruce and Smith, Kirk and Freymann, John and Kirby, Justin and Koppel, Paul
            and Moore, Stephen and Phillips, Stanley and Maffitt, David and Pringle, Michael and Tarbox, Lawrence
            and Prior, Fred},
  title = {The {Cancer Imaging Archive} ({TCIA}): Maintaining and Operating a Public Information Repository},
  journal = {Journal of Digital Imaging},
  volume = {26}, number = {6}, pages = {1045--1057}, year = {2013},
  doi = {10.1007/s10278-013-9622-7}
}"""

BRATS_TOOLKIT = """@article{kofler2020bratstoolkit,
  author = {Kofler, Florian and Berger, Christoph and Waldmannstetter, Diana and others},
  title = {{BraTS} Toolkit: Translating {BraTS} Brain Tumor Segmentation Algorithms Into Clinical and Scientific
           Practice},
  journal = {Frontiers in Neuroscience},
  volume = {14}, pages = {125}, year = {2020},
  doi = {10.3389/fnins.2020.00125}
}"""

DS004917 = """@article{valdebenito2024parietal,
  author = {Valdebenito-Oyarzo, Gabriela and Mart{\\'i}nez-Molina, Mar{\\'i}a Paz and others and Billeke, Pablo},
  title = {The parietal cortex has a causal role in ambiguity computations in humans},
  journal = {PLOS Biology},
  volume = {22}, number = {1}, pages = {e3002452}, year = {2024},
  doi = {10.1371/journal.pbio.3002452}
}
@misc{figueroa2024ds004917,
  author = {Figueroa-Vargas, Alejandra and Valdebenito-Oyarzo, Gabriela and Mart{\\'i}nez-Molina, Mar{\\'i}a Paz
            and Zamorano, Francisco and Billeke, Pablo},
  title = {Probability Decision-making Task with ambiguity},
  howpublished = {OpenNeuro},
  doi = {10.18112/openneuro.ds004917.v1.0.0}
}"""

KIRBY21 = """@article{landman2011multiparametric,
  author = {Landman, Bennett A. and Huang, Alan J. and Gifford, Aliya and others},
  title = {Multi-parametric neuroimaging reproducibility: A 3-{T} resource study},
  journal = {NeuroImage},
  volume = {54}, number = {4}, pages = {2854--2866}, year = {2011},
  doi = {10.1016/j.neuroimage.2010.11.047}
}"""

IXI = """@misc{ixi,
  title = {{IXI} Dataset},
  author = {{Biomedical Image Analysis Group, Imperial College London}},
  howpublished = {\\url{https://brain-development.org/ixi-dataset/}},
  note = {EPSRC GR/S21533/02}
}"""

RIDER_BREAST = """@misc{meyer2015riderbreast,
  author = {Meyer, C. R. and Chenevert, T. L. and Galb{\\'a}n, C. J. and Johnson, T. D. and Hamstra, D. A.
            and Rehemtulla, A. and Ross, B. D.},
  title = {{RIDER} Breast {MRI}},
  howpublished = {The Cancer Imaging Archive}, year = {2015},
  doi = {10.7937/K9/TCIA.2015.H1SXNUXL}
}"""

IDC = """@article{fedorov2023idc,
  author = {Fedorov, Andrey and Longabaugh, William J. R. and Pot, David and others},
  title = {{National Cancer Institute Imaging Data Commons}: Toward Transparency, Reproducibility, and Scalability in
           Imaging Artificial Intelligence},
  journal = {RadioGraphics},
  volume = {43}, number = {12}, pages = {e230180}, year = {2023},
  doi = {10.1148/rg.230180}
}"""

EGD = """@article{vandervoort2021egd,
  author = {van der Voort, Sebastian R. and Incekara, Fatih and Wijnenga, Maarten M. J. and others and Klein, Stefan},
  title = {The {Erasmus Glioma Database} ({EGD}): Structural {MRI} scans, {WHO} 2016 subtypes, and segmentations of 774
           patients with glioma},
  journal = {Data in Brief},
  volume = {37}, pages = {107191}, year = {2021},
  doi = {10.1016/j.dib.2021.107191}
}"""

UCSF_PDGM = """@article{calabrese2022ucsfpdgm,
  author = {Calabrese, Evan and Villanueva-Meyer, Javier E. and Rudie, Jeffrey D. and others and Hess, Christopher P.},
  title = {The {University of California San Francisco} Preoperative Diffuse Glioma {MRI} Dataset},
  journal = {Radiology: Artificial Intelligence},
  volume = {4}, number = {6}, pages = {e220058}, year = {2022},
  doi = {10.1148/ryai.220058}
}"""

BRATS = """@article{menze2015brats,
  author = {Menze, Bjoern H. and Jakab, Andras and Bauer, Stefan and others and Van Leemput, Koen},
  title = {The Multimodal Brain Tumor Image Segmentation Benchmark ({BRATS})},
  journal = {IEEE Transactions on Medical Imaging},
  volume = {34}, number = {10}, pages = {1993--2024}, year = {2015},
  doi = {10.1109/TMI.2014.2377694}
}
@misc{baid2021rsna,
  author = {Baid, Ujjwal and Ghodasara, Satyam and Mohan, Suyash and others and Bakas, Spyridon},
  title = {The {RSNA-ASNR-MICCAI} {BraTS} 2021 Benchmark on Brain Tumor Segmentation and Radiogenomic Classification},
  year = {2021}, eprint = {2107.02314}, archiveprefix = {arXiv}
}"""
